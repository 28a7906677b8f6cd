"""The server's dynamic group, its IAM policies, and the stack's secrets.

What runs the server is a principal of its own by a dynamic group; policies name the stack's own
resources, and nothing wider. https://docs.oracle.com/iaas/Content/Identity/policyreference/
"""

from dataclasses import dataclass

import pulumi
from pulumi import Output
from pulumi_oci import identity

from infra.clouds.oci.scope import Scope
from infra.clouds.shared.part import Part
from infra.clouds.shared.secret_files import SecretFiles
from infra.clouds.shared.settled import Settled
from infra.inputs import Secrets
from infra.plan.oci import OciPlan

# As long as Oracle's own example waits before a container instance pulls, and then some:
# https://github.com/oracle-quickstart/appstack/blob/main/usage-docs/container_instance.tf
_SETTLED_SECONDS = 120


@dataclass(frozen=True)
class Granted:
    """The OCID of the dynamic ``group``; ``policy`` is there once it may do all that it may,
    ``settled`` once OCI knows that it may pull the image, for what pulls once.
    """

    group: Output[str]
    policy: pulumi.Resource
    settled: pulumi.Resource


class Identity(Part):
    """Every secret by the name of the file that holds it; dynamic group and policy at the end."""

    def __init__(self, plan: OciPlan, secrets: Secrets, scope: Scope) -> None:
        super().__init__("oci", "identity")
        self._plan = plan
        self._scope = scope.within(self)
        self._statements: list[pulumi.Input[str]] = []
        self._pulling: list[pulumi.Input[str]] = []
        self.secrets = SecretFiles(
            plan.names.base,
            plan.settings.tls,
            plan.tls_certificate,
            secrets,
            opts=self.child(),
            rotation=plan.settings.secrets_key_rotation,
            encrypts_backups=plan.settings.backup_encryption,
        )
        self.finish()

    def allow(self, what: str, where: pulumi.Input[str]) -> None:
        """Let the group do ``what`` (``read secret-bundles``) under a condition."""
        self._statements.append(Output.concat(self._allowed(what), " where ", where))

    def allow_pull(self, where: str) -> None:
        """Let the group pull images under a condition: by a policy of its own, which waits for
        nothing that takes its time, and so is known when the image is pulled.
        """
        self._pulling.append(f"{self._allowed('read repos')} where {where}")

    def allow_permission(self, permission: str) -> None:
        """Let the group do one thing that OCI knows no target of."""
        self._statements.append(self._allowed(f"{{{permission}}}"))

    def _allowed(self, what: str) -> str:
        who, place = self._plan.names.identity, self._plan.settings.compartment_id
        return f"Allow dynamic-group {who} to {what} in compartment id {place}"

    def grant(self, rule: pulumi.Input[str]) -> Granted:
        """All that was allowed, to what the matching rule holds for."""
        plan, home = self._plan, self._scope.home
        group = identity.DynamicGroup(
            "identity",
            # All identities of a tenancy are in its root.
            compartment_id=plan.settings.tenancy_id,
            name=plan.names.identity,
            description=f"The server of {plan.names.base}",
            matching_rule=rule,
            freeform_tags=dict(plan.tags),
            opts=home,
        )
        after = pulumi.ResourceOptions.merge(home, pulumi.ResourceOptions(depends_on=[group]))

        def policy(
            name: str, called: str, does: str, statements: list[pulumi.Input[str]]
        ) -> identity.Policy:
            return identity.Policy(
                name,
                compartment_id=plan.settings.compartment_id,
                name=called,
                description=f"What the server of {plan.names.base} may {does}",
                statements=statements,
                freeform_tags=dict(plan.tags),
                opts=after,
            )

        pull = policy("may-pull", f"{plan.names.identity}-pull", "pull", self._pulling)
        settled = Settled(
            "may-pull-known",
            {"of": pull.id, "seconds": _SETTLED_SECONDS},
            self._scope.here(pull),
        )
        may = policy("may", plan.names.identity, "do", self._statements)
        return Granted(group.id, may, settled)
