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
from infra.inputs import Secrets
from infra.plan.oci import OciPlan


@dataclass(frozen=True)
class Granted:
    """The OCID of the dynamic ``group``, and the ``policy`` of what it may do."""

    group: Output[str]
    policy: pulumi.Resource


class Identity(Part):
    """Every secret by the name of the file that holds it; dynamic group and policy at the end."""

    def __init__(self, plan: OciPlan, secrets: Secrets, scope: Scope) -> None:
        super().__init__("oci", "identity")
        self._plan = plan
        self._scope = scope.within(self)
        self._statements: list[pulumi.Input[str]] = []
        self.secrets = SecretFiles(
            plan.names.base,
            plan.settings.tls,
            plan.tls_certificate,
            secrets,
            opts=self.child(),
        )
        self.finish()

    def allow(self, what: str, where: pulumi.Input[str]) -> None:
        """Let the group do ``what`` (``read secret-bundles``) under a condition."""
        who, place = self._plan.names.identity, self._plan.settings.compartment_id
        allowed = f"Allow dynamic-group {who} to {what} in compartment id {place} where "
        self._statements.append(Output.concat(allowed, where))

    def grant(self, rule: pulumi.Input[str]) -> Granted:
        """All that was allowed, in one policy, to what the matching rule holds for."""
        plan = self._plan
        group = identity.DynamicGroup(
            "identity",
            # All identities of a tenancy are in its root.
            compartment_id=plan.settings.tenancy_id,
            name=plan.names.identity,
            description=f"The server of {plan.names.base}",
            matching_rule=rule,
            freeform_tags=dict(plan.tags),
            opts=self._scope.opts,
        )
        policy = identity.Policy(
            "may",
            compartment_id=plan.settings.compartment_id,
            name=plan.names.identity,
            description=f"What the server of {plan.names.base} may do",
            statements=self._statements,
            freeform_tags=dict(plan.tags),
            opts=self._scope.after(group),
        )
        return Granted(group.id, policy)
