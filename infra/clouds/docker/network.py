"""The network that the containers are in, and the port that the reverse proxy, the one way in, is
published on.
"""

import pulumi_docker as docker

from infra.clouds.shared.part import Part, Scoped
from infra.clouds.shared.this_machine.docker_command import publishers
from infra.clouds.shared.this_machine.ports import held, holder, is_free
from infra.errors import StackError
from infra.plan.docker import DockerPlan

# The processes that hold a published port for the daemon.
_DAEMON = ("docker-proxy", "dockerd")


class Network(Part):
    """``name`` is the network's on this machine."""

    def __init__(self, plan: DockerPlan, scope: Scoped) -> None:
        super().__init__("docker", "network")
        network = docker.Network("network", name=plan.name, opts=scope.within(self).opts)
        self.name = network.name
        self.finish()


def check_port(plan: DockerPlan) -> None:
    """Raise StackError where something else than the stack's own proxy holds its port."""
    if is_free(plan.port, plan.address, by_daemon=True):
        return
    process = holder(plan.port)
    names = set(publishers(plan.port, plan.address))
    if not names and process and process.name() not in _DAEMON:
        raise held(plan.port, process)
    others = names - {f"{plan.name}-front"}
    if others:
        raise StackError(
            f"trackstack:port: {plan.port} is held by the container {', '.join(sorted(others))}; "
            "stop that one or choose a free port"
        )
    if not names and process is None:
        raise held(plan.port, process)
