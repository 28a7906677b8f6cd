"""The schedules: `trackstack scheduler` in a container runs gc, prune and backup."""

import pulumi_docker as docker
from pulumi import ResourceOptions

from infra.clouds.docker.database import Database
from infra.clouds.docker.identity import Identity
from infra.clouds.docker.image import Images
from infra.clouds.docker.server import data_mount, run, secret_files
from infra.plan import DockerPlan


def make_scheduler(
    plan: DockerPlan,
    identity: Identity,
    images: Images,
    network: docker.Network,
    data: docker.Volume,
    database: Database,
    server: docker.Container,
    opts: ResourceOptions,
) -> docker.Container:
    """One scheduler, after the server has migrated the backend store."""
    return run(
        plan.scheduler,
        plan,
        image=images.runtime_id,
        network=network,
        volumes=[
            data_mount(data),
            secret_files(plan.scheduler, plan, identity, images.runtime_id, opts),
        ],
        # The image's health check asks the server, which does not run here.
        healthcheck=docker.ContainerHealthcheckArgs(tests=["NONE"]),
        opts=ResourceOptions.merge(
            opts, ResourceOptions(depends_on=[*database.dependencies, server])
        ),
    )
