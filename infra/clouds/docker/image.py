"""The images: the runtime's, built here or pulled by digest, and those of others."""

import pulumi_docker as docker
from pulumi import Output, ResourceOptions

from infra.clouds.shared.image import RuntimeImage
from infra.inputs import Secrets
from infra.plan import DockerPlan
from infra.plan.workloads import Image


def _server(registry: str) -> str:
    return registry.split("/", 1)[0]


def make_provider(plan: DockerPlan, secrets: Secrets) -> docker.Provider:
    """The daemon of this machine, which may pull from the stack's registry."""
    if not (plan.registry and plan.registry_user):
        return docker.Provider("docker")
    login = docker.ProviderRegistryAuthArgs(
        address=_server(plan.registry),
        username=plan.registry_user,
        password=secrets.registry_password,
    )
    return docker.Provider("docker", registry_auth=[login])


class Images:
    """``runtime`` is the runtime image's reference."""

    def __init__(self, plan: DockerPlan, secrets: Secrets, opts: ResourceOptions) -> None:
        self._opts = opts
        registry = (
            docker.RegistryArgs(
                server=_server(plan.registry),
                username=plan.registry_user,
                password=secrets.registry_password,
            )
            if plan.registry
            else None
        )
        name = f"{plan.registry}/trackstack" if plan.registry else "trackstack/runtime"
        image = RuntimeImage("image", plan.image, repository=name, registry=registry, opts=opts)
        self.runtime: Output[str] = image.reference
        is_elsewhere = bool(plan.registry or plan.image.digest)
        runtime = self.pulled("runtime", self.runtime) if is_elsewhere else self.runtime
        self._ids: dict[Image, Output[str]] = {
            "runtime": runtime,
            "proxy": self.pulled("front", plan.front_image),
        }

    def of(self, image: Image) -> Output[str]:
        """The ID that containers are made of."""
        return self._ids[image]

    def pulled(self, name: str, reference: Output[str] | str) -> Output[str]:
        """The ID of an image that is in the daemon or is pulled; it stays when the stack goes."""
        image = docker.RemoteImage(
            f"{name}-image", name=reference, keep_locally=True, opts=self._opts
        )
        return image.image_id
