"""Who the server is to OCI, what it may do there, and the stack's secrets.

The container instance is a principal of its own by a dynamic group; policies name the stack's own
resources, and nothing wider. https://docs.oracle.com/iaas/Content/Identity/policyreference/
"""

import pulumi
from pulumi import Output
from pulumi_oci import identity

from infra.clouds.oci.scope import Scope
from infra.clouds.shared.secret_files import SecretFiles
from infra.plan import OciPlan
from infra.settings import Secrets


class Identity:
    """The dynamic group, and every secret by the name of the file that holds it."""

    def __init__(self, plan: OciPlan, secrets: Secrets, scope: Scope) -> None:
        self._plan = plan
        self._scope = scope
        self._statements: list[pulumi.Input[str]] = []
        compartment = plan.settings.compartment_id
        self._group = identity.DynamicGroup(
            "identity",
            # All identities of a tenancy are in its root.
            compartment_id=plan.settings.tenancy_id,
            name=plan.names.identity,
            description=f"The container instance of {plan.names.base}",
            matching_rule="ALL {resource.type = 'computecontainerinstance', "
            f"resource.compartment.id = '{compartment}'}}",
            freeform_tags=dict(plan.tags),
            opts=scope.opts,
        )
        self.secrets = SecretFiles(
            plan.names.base, plan.settings.tls, plan.tls_certificate, secrets
        )

    def allow(self, what: str, where: pulumi.Input[str]) -> None:
        """Let the group do ``what`` (``read secret-bundles``) under a condition."""
        who, place = self._plan.names.identity, self._plan.settings.compartment_id
        allowed = f"Allow dynamic-group {who} to {what} in compartment id {place} where "
        self._statements.append(Output.concat(allowed, where))

    def grant(self) -> pulumi.Resource:
        """All that was allowed, in one policy; what runs as the group must wait for it."""
        return identity.Policy(
            "may",
            compartment_id=self._plan.settings.compartment_id,
            name=self._plan.names.identity,
            description=f"What the container instance of {self._plan.names.base} may do",
            statements=self._statements,
            freeform_tags=dict(self._plan.tags),
            opts=self._scope.after(self._group),
        )
