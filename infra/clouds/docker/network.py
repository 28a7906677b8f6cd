"""The TLS front, the one way in, and the port that it is published on."""

import pulumi_docker as docker
from pulumi import ResourceOptions

from infra.clouds.docker.identity import Identity
from infra.clouds.docker.image import Images
from infra.clouds.docker.server import run, secret_files
from infra.clouds.shared.ports import held, holder, is_free
from infra.plan import DockerPlan
from infra.plan.proxy import PROBE_URL

# The processes that hold a published port for the daemon.
_DAEMON = ("docker-proxy", "dockerd")


def check_port(plan: DockerPlan) -> None:
    """Raise StackError where something else than a container holds the front's port."""
    if is_free(plan.port, plan.address):
        return
    process = holder(plan.port)
    if process and process.name() in _DAEMON:
        # Of this stack's own front, most likely; the daemon says so itself if it is not.
        return
    raise held(plan.port, process)


def make_front(
    plan: DockerPlan,
    identity: Identity,
    images: Images,
    network: docker.Network,
    server: docker.Container,
    opts: ResourceOptions,
) -> docker.Container:
    """Caddy, which keeps what it was issued in a volume of its own."""
    image = images.pulled("front", plan.front_image)
    issued = docker.Volume("front-data", name=f"{plan.name}-front", opts=opts)
    return run(
        plan.front,
        plan,
        image=image,
        network=network,
        volumes=[
            docker.ContainerVolumeArgs(volume_name=issued.name, container_path="/data"),
            secret_files(plan.front, plan, identity, image, opts),
        ],
        # The image's own user, which owns its volume; of its rights the one to bind port 443.
        user="0:0",
        capabilities=["CAP_NET_BIND_SERVICE"],
        healthcheck=docker.ContainerHealthcheckArgs(
            tests=["CMD", "wget", "-q", "-O", "/dev/null", PROBE_URL],
            interval="5s",
            timeout="5s",
            retries=6,
            start_period="60s",
        ),
        ports=[
            docker.ContainerPortArgs(
                internal=plan.front.port or 443, external=plan.port, ip=plan.address
            )
        ],
        opts=ResourceOptions.merge(opts, ResourceOptions(depends_on=[server])),
    )
