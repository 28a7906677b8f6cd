"""The runtime image in a registry of the stack's own, pushed with the caller's own rights."""

import json
import urllib.error
import urllib.parse
import urllib.request

import pulumi
import pulumi_docker as docker
from pulumi import Output, ResourceOptions
from pulumi_azure_native import authorization, containerregistry

from infra.clouds.azure.build import BASE, build_image
from infra.clouds.azure.identity import Identity
from infra.clouds.azure.scope import Scope
from infra.clouds.shared.copied import CopiedImage
from infra.clouds.shared.image import RuntimeImage
from infra.clouds.shared.part import Part
from infra.clouds.shared.registry import registry_of
from infra.plan.azure import AzurePlan

_REPOSITORY = "trackstack"
# What the registry calls a caller that shows a token in place of a password.
TOKEN_USER = "00000000-0000-0000-0000-000000000000"  # noqa: S105
_TIMEOUT_SECONDS = 30


def exchange(server: str, token: str) -> str:
    """A registry's refresh token for a token of Azure's.

    https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md
    """
    form = {"grant_type": "access_token", "service": server, "access_token": token}
    asked = urllib.request.Request(
        f"https://{server}/oauth2/exchange", data=urllib.parse.urlencode(form).encode()
    )
    try:
        with urllib.request.urlopen(asked, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            return str(json.load(answer)["refresh_token"])
    except urllib.error.HTTPError as error:
        raise pulumi.RunError(
            f"{server} refuses your Azure login ({error.code}): pushing needs the role AcrPush, or "
            "Contributor, on the registry"
        ) from None
    except OSError as error:
        raise pulumi.RunError(f"{server} cannot be reached: {error}; run `up` again") from None


class Images(Part):
    """``runtime`` is the runtime image by digest, in the stack's own ``registry``; ``proxy``
    that of a container group's proxy.

    Nothing is pulled from Docker Hub by Azure, which counts pulls by the caller's address: many
    share Azure's.
    """

    proxy: Output[str] | None = None

    def __init__(self, plan: AzurePlan, scope: Scope, identity: Identity) -> None:
        super().__init__("azure", "images")
        scope = scope.within(self)
        registry = containerregistry.Registry(
            "registry",
            registry_name=plan.names.registry,
            sku=containerregistry.SkuArgs(name="Basic"),
            admin_user_enabled=False,
            anonymous_pull_enabled=False,
            **scope.inside,
            opts=scope.opts,
        )
        identity.grant("may-pull", "AcrPull", registry.id)
        self.registry: Output[str] = registry.login_server
        token = Output.secret(
            authorization.get_client_token_output(opts=_invoke(scope)).apply(lambda got: got.token)
        )
        login = Output.all(self.registry, token)
        password = Output.secret(login.apply(lambda both: exchange(both[0], both[1])))
        self._login, self._password = login, password
        self.runtime = self._runtime(plan, scope, registry)
        if plan.settings.compute == "container":
            self.proxy = self._copied("front-image", plan.settings.front_image, "front")
        self.finish({"runtime": self.runtime})

    def _runtime(
        self,
        plan: AzurePlan,
        scope: Scope,
        registry: containerregistry.Registry,
    ) -> Output[str]:
        """The image by digest: copied where the stack file names one, else built here or there."""
        if plan.image.digest:
            return self._copied("image", plan.image.digest, _REPOSITORY)
        if plan.settings.image_build == "acr":
            base = self._copied("base-image", dict(plan.image.arguments)[BASE], "base")
            return build_image(plan.image, base, scope, registry, self.registry, _REPOSITORY)
        return RuntimeImage(
            "image",
            plan.image,
            repository=Output.concat(self.registry, f"/{_REPOSITORY}"),
            registry=docker.RegistryArgs(
                server=self.registry, username=TOKEN_USER, password=self._password
            ),
            opts=self.child(ResourceOptions(provider=docker.Provider("docker"))),
        ).reference

    def _copied(self, name: str, image: str, repository: str) -> Output[str]:
        """A copy in the stack's own registry, by digest."""
        host = registry_of(image)
        return CopiedImage(
            name,
            image,
            repository=Output.concat(self.registry, f"/{repository}"),
            username=TOKEN_USER,
            password=self._password,
            from_password=self._login.apply(lambda both: _login_of(host, both[0], both[1])),
            opts=self.child(),
        ).reference


def _login_of(host: str, own: str, token: str) -> str:
    """The password for the registry of a given image; empty where Azure's login is not for it."""
    return exchange(host, token) if host == own or host.endswith(".azurecr.io") else ""


def _invoke(scope: Scope):
    from pulumi import InvokeOutputOptions

    return InvokeOutputOptions(provider=scope.opts.provider)
