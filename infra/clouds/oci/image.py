"""The runtime image in a private repository of the container registry, pushed with the caller's
own login to OCI.
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
    """``runtime`` is the runtime image by digest."""

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
        host = plan.registry_host
        # Asked for once the repository is there, and so not in a preview of a new stack.
        password = Output.secret(repository.id.apply(lambda _: exchange(host)))
        name = Output.concat(host, "/", scope.namespace, "/", repository.display_name)
        if plan.image.digest:
            given = registry_of(plan.image.digest)
            knows = given == host or given.endswith(".ocir.io")
            self.runtime: Output[str] = CopiedImage(
                "image",
                plan.image.digest,
                repository=name,
                username=TOKEN_USER,
                password=password,
                from_password=repository.id.apply(lambda _: exchange(given) if knows else ""),
                opts=self.child(),
            ).reference
        else:
            self.runtime = RuntimeImage(
                "image",
                plan.image,
                repository=name,
                registry=docker.RegistryArgs(server=host, username=TOKEN_USER, password=password),
                opts=self.child(ResourceOptions(provider=docker.Provider("docker"))),
            ).reference
        self.finish({"runtime": self.runtime})
