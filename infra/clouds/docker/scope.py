"""The daemon of this machine, by which all of the stack is made."""

import pulumi_docker as docker
from pulumi import ResourceOptions

from infra.clouds.shared.part import Scoped, holding_data
from infra.inputs import Secrets
from infra.plan.docker import DockerPlan


def make_scope(plan: DockerPlan, secrets: Secrets) -> Scoped:
    """The provider, which may pull from the stack's registry."""
    opts = ResourceOptions(provider=_provider(plan, secrets))
    data = ResourceOptions.merge(opts, holding_data(plan.keep_data))
    return Scoped(opts=opts, data=data)


def server_of(registry: str) -> str:
    """Where a registry is that may be named with a path."""
    return registry.split("/", 1)[0]


def _provider(plan: DockerPlan, secrets: Secrets) -> docker.Provider:
    if not (plan.registry and plan.registry_user):
        return docker.Provider("docker")
    login = docker.ProviderRegistryAuthArgs(
        address=server_of(plan.registry),
        username=plan.registry_user,
        password=secrets.registry_password,
    )
    return docker.Provider("docker", registry_auth=[login])
