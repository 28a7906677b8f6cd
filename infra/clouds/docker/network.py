"""The network that the containers are in, and the port that the reverse proxy, the one way in, is
published on.
"""

import pulumi_docker as docker

from infra.clouds.shared.part import Part, Scoped
from infra.clouds.shared.ports import held, holder, is_free
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
    """Raise StackError where something else than a container holds the proxy's port."""
    if is_free(plan.port, plan.address):
        return
    process = holder(plan.port)
    if process and process.name() in _DAEMON:
        # Of this stack's own proxy, most likely; the daemon says so itself if it is not.
        return
    raise held(plan.port, process)
