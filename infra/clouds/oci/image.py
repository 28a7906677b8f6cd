"""The images in a private repository of the container registry, pushed with the caller's own login
to OCI.
"""

from typing import Any

import pulumi
import pulumi_docker as docker
from pulumi import Output, ResourceOptions
from pulumi_oci import artifacts

from infra.clouds.oci.identity import Identity
from infra.clouds.oci.scope import Scope
from infra.clouds.shared.copied import CopiedImage
from infra.clouds.shared.image import RuntimeImage
from infra.clouds.shared.part import Part
from infra.clouds.shared.registry import registry_of
from infra.plan.oci import OciPlan
from runtime.errors import UserError
from runtime.oci import login as oci_login

# What the registry calls a caller that shows a token in place of a password.
TOKEN_USER = "BEARER_TOKEN"  # noqa: S105
_TIMEOUT_SECONDS = 30


def exchange(host: str) -> str:
    """A registry's token for the login of this machine's OCI configuration.

    https://docs.oracle.com/iaas/Content/Registry/Tasks/registrypushingimagesusingthedockercli.htm
    """
    import requests

    try:
        signer: Any = oci_login.signer()
        answer = requests.get(
            f"https://{host}/20180419/docker/token", auth=signer, timeout=_TIMEOUT_SECONDS
        )
    except UserError as error:
        raise pulumi.RunError(f"{error}; see `oci setup config`") from None
    except OSError as error:
        raise pulumi.RunError(f"{host} cannot be reached: {error}; run `up` again") from None
    if not answer.ok:
        raise pulumi.RunError(
            f"{host} refuses your OCI login ({answer.status_code}): pushing needs a policy such as "
            "`allow group … to manage repos in compartment …`"
        )
    return str(answer.json()["token"])


class Images(Part):
    """``runtime`` is the runtime image by digest; ``proxy`` that of a container instance's proxy.

    Nothing is pulled from Docker Hub by OCI, which counts pulls by the caller's address: many share
    OCI's.
    """

    proxy: Output[str] | None = None

    def __init__(self, plan: OciPlan, scope: Scope, identity: Identity) -> None:
        super().__init__("oci", "images")
        scope = scope.within(self)
        repository = artifacts.ContainerRepository(
            "repository",
            display_name=plan.names.repository,
            is_public=False,
            is_immutable=False,
            **scope.inside,
            opts=scope.opts,
        )
        identity.allow_pull(f"target.repo.name = '{plan.names.repository}'")
        # Asked for once the repository is there, and so not in a preview of a new stack.
        self._host, self._there = plan.registry_host, repository.id
        self._password = Output.secret(self._there.apply(lambda _: exchange(self._host)))
        path = Output.concat(scope.namespace, "/", repository.display_name)
        self._repository = Output.concat(self._host, "/", path)
        self.runtime = self._runtime(plan)
        if plan.settings.compute == "container":
            self.proxy = self._copied("front-image", plan.settings.front_image)
        self.finish({"runtime": self.runtime})

    def _runtime(self, plan: OciPlan) -> Output[str]:
        """The image by digest: copied where the stack file names one, else built here."""
        if plan.image.digest:
            return self._copied("image", plan.image.digest)
        registry = docker.RegistryArgs(
            server=self._host, username=TOKEN_USER, password=self._password
        )
        return RuntimeImage(
            "image",
            plan.image,
            repository=self._repository,
            registry=registry,
            opts=self.child(ResourceOptions(provider=docker.Provider("docker"))),
        ).reference

    def _copied(self, name: str, image: str) -> Output[str]:
        """A copy in the stack's own repository, by digest."""
        given = registry_of(image)
        knows = given == self._host or given.endswith(".ocir.io")
        return CopiedImage(
            name,
            image,
            repository=self._repository,
            username=TOKEN_USER,
            password=self._password,
            from_password=self._there.apply(lambda _: exchange(given) if knows else ""),
            opts=self.child(),
        ).reference
