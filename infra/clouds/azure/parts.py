"""What the server's compute is made from: all other parts of the stack, whatever the compute."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi import ResourceOptions

from infra.clouds.azure.artifacts import Artifacts
from infra.clouds.azure.database import Database
from infra.clouds.azure.identity import Identity
from infra.clouds.azure.image import Images
from infra.clouds.azure.network import Network
from infra.clouds.azure.observability import Logs
from infra.clouds.azure.scope import Scope
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
        images = {"runtime": self.images.runtime, "proxy": self.plan.settings.front_image}
        return images[workload.image]

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

    def when_ready(self) -> ResourceOptions:
        """For what runs as the identity, on the database and the artifacts."""
        return self.scope.after(*self.identity.granted, *self.database.ready, *self.artifacts.ready)
