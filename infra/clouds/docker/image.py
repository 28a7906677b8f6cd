"""The images: the runtime's, built here or pulled by digest, and those of others."""

from typing import Literal

import pulumi_docker as docker
from pulumi import Output

from infra.clouds.docker.scope import registry_password, server_of
from infra.clouds.shared.image import RuntimeImage
from infra.clouds.shared.part import Part, Scoped
from infra.inputs import Secrets
from infra.plan.docker import DockerPlan
from infra.plan.workloads import Image

_Image = Image | Literal["database"]


class Images(Part):
    """``runtime`` is the runtime image's reference."""

    def __init__(self, plan: DockerPlan, secrets: Secrets, scope: Scoped) -> None:
        super().__init__("docker", "images")
        self._opts = scope.within(self).opts
        registry = (
            docker.RegistryArgs(
                server=server_of(plan.registry),
                username=plan.registry_user,
                password=registry_password(plan, secrets),
            )
            if plan.registry
            else None
        )
        name = f"{plan.registry}/trackstack" if plan.registry else "trackstack/runtime"
        image = RuntimeImage(
            "image", plan.image, repository=name, registry=registry, opts=self._opts
        )
        self.runtime: Output[str] = image.reference
        is_elsewhere = bool(plan.registry or plan.image.digest)
        runtime = self._pulled("runtime", self.runtime) if is_elsewhere else self.runtime
        self._ids: dict[_Image, Output[str]] = {
            "runtime": runtime,
            "proxy": self._pulled("front", plan.front_image),
        }
        if plan.database_image:
            self._ids["database"] = self._pulled("database", plan.database_image)
        self.finish({"runtime": self.runtime})

    def of(self, image: _Image) -> Output[str]:
        """The ID that containers are made of; of the database's, where it is not given."""
        return self._ids[image]

    def _pulled(self, name: str, reference: Output[str] | str) -> Output[str]:
        """The ID of an image that is in the daemon or is pulled; it stays when the stack goes."""
        image = docker.RemoteImage(
            f"{name}-image", name=reference, keep_locally=True, opts=self._opts
        )
        return image.image_id
