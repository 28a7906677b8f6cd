"""The runtime image in a registry of the stack's own, pushed with the caller's own rights."""

import json
import urllib.error
import urllib.parse
import urllib.request

import pulumi
import pulumi_docker as docker
from pulumi import Output, ResourceOptions
from pulumi_azure_native import authorization, containerregistry

from infra.clouds.azure.identity import Identity
from infra.clouds.azure.scope import Scope
from infra.clouds.shared.image import RuntimeImage
from infra.plan import AzurePlan

_REPOSITORY = "trackstack"
# What the registry calls a caller that shows a token in place of a password.
_TOKEN_USER = "00000000-0000-0000-0000-000000000000"  # noqa: S105
_TIMEOUT_SECONDS = 30


def _exchange(server: str, token: str) -> str:
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


class Images:
    """``runtime`` is the runtime image by digest; ``registry`` is where it lies, None where the
    stack file names an image that is there.
    """

    def __init__(self, plan: AzurePlan, scope: Scope, identity: Identity) -> None:
        self.registry: Output[str] | None = None
        if plan.image.digest:
            self.runtime: Output[str] = Output.from_input(plan.image.digest)
            return
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
        self.registry = registry.login_server
        token = authorization.get_client_token_output(opts=_invoke(scope))
        password = Output.all(registry.login_server, Output.secret(token.token)).apply(
            lambda both: _exchange(both[0], both[1])
        )
        self.runtime = RuntimeImage(
            "image",
            plan.image,
            repository=Output.concat(registry.login_server, f"/{_REPOSITORY}"),
            registry=docker.RegistryArgs(
                server=registry.login_server,
                username=_TOKEN_USER,
                password=Output.secret(password),
            ),
            opts=ResourceOptions(provider=docker.Provider("docker")),
        ).reference


def _invoke(scope: Scope):
    from pulumi import InvokeOutputOptions

    return InvokeOutputOptions(provider=scope.opts.provider)
