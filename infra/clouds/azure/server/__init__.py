"""The server, by the stack file's compute, and where it is reached."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pulumi

from infra.clouds.azure.dns import make_record
from infra.clouds.azure.parts import Parts
from infra.clouds.shared.part import Part
from infra.plan.azure import AzurePlan


@dataclass(frozen=True)
class Reached:
    """``uri`` is where users reach the server; ``logs`` as the stack exports.

    There is no ``command``: `az container exec` and `az containerapp exec` take no arguments.
    """

    uri: pulumi.Input[str]
    logs: pulumi.Input[str]


def shows_log(plan: AzurePlan) -> str:
    """The command that does, whichever subscription is the default of `az`. Pure."""
    where = f"--subscription {plan.settings.subscription_id} -g {plan.names.resource_group}"
    return {
        "container": f"az container logs --follow {where} -n {plan.names.base} "
        "--container-name server",
        "scale": f"az containerapp logs show --follow {where} -n {plan.names.app}",
        "vm": f"ssh trackstack-admin@{plan.hostname} journalctl -fu trackstack-server",
    }[plan.settings.compute]


def _container(parts: Parts) -> Reached:
    from infra.clouds.azure.server.container import make_group

    make_group(parts)
    return Reached(parts.plan.tracking_uri, shows_log(parts.plan))


def _scale(parts: Parts) -> Reached:
    from infra.clouds.azure.identity import Vault
    from infra.clouds.azure.server.scale import ContainerApps, make_app
    from infra.clouds.azure.server.schedule import make_jobs

    plan, networks = parts.plan, parts.networks
    apps = ContainerApps(parts, Vault(plan, parts.scope, parts.identity, networks))
    make_jobs(parts, apps, make_app(parts, apps))
    if plan.settings.private and networks:
        # No public DNS has the names of an internal environment.
        inside = apps.environment
        make_record("apps", inside.default_domain, inside.static_ip, parts.scope, networks, "*")
    return Reached(apps.uri, shows_log(plan))


def _vm(parts: Parts) -> Reached:
    from infra.clouds.azure.identity import Vault
    from infra.clouds.azure.server.vm import make_machine

    plan, networks = parts.plan, parts.networks
    if networks is None or plan.hostname is None:
        raise ValueError("a virtual machine has a network and a name")
    vault = Vault(plan, parts.scope, parts.identity, networks)
    address = make_machine(parts, vault, networks)
    if plan.settings.private:
        make_record("front", plan.hostname, address, parts.scope, networks)
    return Reached(plan.tracking_uri, shows_log(plan))


_COMPUTES: dict[str, Callable[[Parts], Reached]] = {
    "container": _container,
    "scale": _scale,
    "vm": _vm,
}


class Server(Part):
    """The compute's resources; ``reached`` says where they are."""

    def __init__(self, parts: Parts) -> None:
        super().__init__("azure", "server")
        own = replace(parts, scope=parts.scope.within(self))
        self.reached = _COMPUTES[parts.plan.settings.compute](own)
        self.finish()
