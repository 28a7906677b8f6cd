"""The daemon of this machine, by which all of the stack is made."""

import pulumi
import pulumi_docker as docker
from pulumi import Output, ResourceOptions

from infra.clouds.shared.part import Scoped, holding_data
from infra.clouds.shared.registry import Login, is_refused, login_of_docker, registry_of
from infra.inputs import Secrets
from infra.plan.docker import DockerPlan


def make_scope(plan: DockerPlan, secrets: Secrets) -> Scoped:
    """The provider, which may pull what this machine may pull."""
    opts = ResourceOptions(provider=_provider(plan, secrets))
    data = ResourceOptions.merge(opts, holding_data(plan.keep_data))
    return Scoped(opts=opts, data=data)


def server_of(registry: str) -> str:
    """Where a registry is that may be named with a path."""
    return registry.split("/", 1)[0]


def registry_password(plan: DockerPlan, secrets: Secrets) -> Output[str] | None:
    """The stack file's, which the registry knows.

    A preview says it too, and so before a build of minutes whose push it would refuse.
    """
    user = plan.registry_user
    if secrets.registry_password is None or not (plan.registry and user):
        return None
    host = server_of(plan.registry)
    return Output.secret(secrets.registry_password.apply(lambda given: _known(host, user, given)))


def _known(host: str, user: str, password: str) -> str:
    if not password:
        raise pulumi.RunError(f"trackstack:registryPassword: is empty; {user} needs one at {host}")
    if is_refused(host, Login(user, password)):
        raise pulumi.RunError(
            f"trackstack:registryPassword: {host} refuses the login of {user}; set the right one "
            "with `pulumi config set --secret trackstack:registryPassword`"
        )
    return password


def kept_logins(plan: DockerPlan) -> list[str]:
    """The registries of the stack's images that `docker login` keeps a login for on this machine,
    but for the one whose login the stack file has.
    """
    own = server_of(plan.registry) if plan.registry else None
    images = (plan.image.digest, plan.database_image, plan.front_image)
    hosts = {registry_of(image) for image in images if image}
    if own:
        hosts = hosts - {own} if plan.registry_user else hosts | {own}
    return sorted(host for host in hosts if login_of_docker(host).username)


def _provider(plan: DockerPlan, secrets: Secrets) -> docker.Provider:
    logins = list[docker.ProviderRegistryAuthArgs]()
    if plan.registry and plan.registry_user:
        logins.append(
            docker.ProviderRegistryAuthArgs(
                address=server_of(plan.registry),
                username=plan.registry_user,
                password=secrets.registry_password,
            )
        )
    # The provider reads those itself: they may be others in every update.
    logins += [docker.ProviderRegistryAuthArgs(address=host) for host in kept_logins(plan)]
    return docker.Provider("docker", registry_auth=logins or None)
