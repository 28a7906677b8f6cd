"""What the server's compute is made from: all other parts of the stack."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi import Output

from infra.clouds.oci.artifacts import Artifacts
from infra.clouds.oci.database import Database
from infra.clouds.oci.identity import Identity
from infra.clouds.oci.image import Images
from infra.clouds.oci.network import Network
from infra.clouds.oci.scope import Scope
from infra.plan.oci import UNKNOWN_ADDRESS, UNKNOWN_NAMESPACE, OciPlan
from infra.plan.workloads import Workload
from runtime.settings import variable

# compute -> how the runtime logs in to OCI
_PRINCIPALS = {
    "container": "resource_principal",
    "scale": "instance_principal",
    "vm": "instance_principal",
}


@dataclass(frozen=True)
class Parts:
    """All parts that are there before the compute; ``address`` is what users reach it by."""

    plan: OciPlan
    scope: Scope
    networks: Network
    identity: Identity
    images: Images
    artifacts: Artifacts
    database: Database
    address: Output[str]

    @property
    def ready(self) -> list[pulumi.Resource]:
        """What the compute waits for, and is gone before."""
        return [*self.database.ready, *self.artifacts.emptied]

    def known(self, text: str) -> Output[str]:
        """A text of the plan, with what only OCI knows."""
        return Output.all(self.address, self.scope.namespace).apply(
            lambda both: text.replace(UNKNOWN_ADDRESS, both[0]).replace(UNKNOWN_NAMESPACE, both[1])
        )

    def image(self, workload: Workload) -> pulumi.Input[str]:
        """What a workload's container is made of."""
        own = self.images.proxy if workload.image == "proxy" else self.images.runtime
        if own is None:
            raise ValueError("the proxy is an image in container instances alone")
        return own

    def environment(self, workload: Workload) -> Mapping[str, pulumi.Input[str]]:
        """A workload's environment; how the runtime logs in to OCI, and to its store, and which
        image it is: a promotion waits until that one answers.
        """
        known = {name: self.known(value) for name, value in workload.environment.items()}
        if workload.image == "proxy":
            return known
        login: dict[str, pulumi.Input[str]] = {
            variable("given_oci_login"): _PRINCIPALS[self.plan.settings.compute],
            variable("image"): self.images.runtime,
        }
        if self.database.secret is not None:
            login[variable("db_secret_ocid")] = self.database.secret
        return {**known, **login}
