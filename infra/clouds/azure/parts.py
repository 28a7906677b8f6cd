"""What the server's compute is made from: all other parts of the stack, whatever the compute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi import ResourceOptions

from infra.clouds.azure.artifacts import Artifacts
from infra.clouds.azure.database import Database
from infra.clouds.azure.identity import Identity
from infra.clouds.azure.image import Images
from infra.clouds.azure.network import Network
from infra.clouds.azure.observability import Logs
from infra.clouds.azure.scope import Scope, replaced_for
from infra.plan.azure import AzurePlan
from infra.plan.workloads import Workload
from runtime.settings import variable


@dataclass(frozen=True)
class Parts:
    """All parts that are there before the compute."""

    plan: AzurePlan
    scope: Scope
    networks: Network | None
    identity: Identity
    images: Images
    artifacts: Artifacts
    database: Database
    logs: Logs

    def image(self, workload: Workload) -> pulumi.Input[str]:
        """What a workload's container is made of."""
        own = self.images.proxy if workload.image == "proxy" else self.images.runtime
        if own is None:
            raise ValueError("the proxy is an image in container groups alone")
        return own

    def environment(self, workload: Workload) -> Mapping[str, pulumi.Input[str]]:
        """A workload's environment; Azure's libraries read there which identity is theirs, and a
        promotion waits until the image that it names answers.
        """
        if workload.image == "proxy":
            return workload.environment
        return {
            **workload.environment,
            "AZURE_CLIENT_ID": self.identity.user.client_id,
            variable("image"): self.images.runtime,
        }

    def when_ready(
        self,
        *,
        replace_for: Sequence[str] = (),
        after: Sequence[pulumi.Resource] = (),
        asks_again: bool = False,
    ) -> ResourceOptions:
        """For what runs as the identity, on the database and the artifacts, and ``after`` more;
        ``replace_for`` are the properties that Azure lets nobody change.

        All rights must be granted before. What ``asks_again`` where it is refused need not wait
        until they are known.
        """
        rights = self.identity.granted if asks_again else [self.identity.settled]
        before = (*rights, *self.database.ready, *self.artifacts.ready, *after)
        return ResourceOptions.merge(self.scope.after(*before), replaced_for(*replace_for))
