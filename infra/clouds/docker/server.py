"""A container of the runtime image, and the tracking server in one."""

from collections.abc import Sequence

import pulumi_docker as docker
from pulumi import Output, ResourceOptions

from infra.clouds.docker.database import Database
from infra.clouds.docker.identity import Identity, secret_volume
from infra.clouds.docker.image import Images
from infra.plan import DockerPlan
from infra.plan.workloads import DATA_DIRECTORY, USER, Container

_MIB_PER_GIB = 1024


def run(
    container: Container,
    plan: DockerPlan,
    *,
    image: Output[str],
    network: docker.Network,
    volumes: Sequence[docker.ContainerVolumeArgs],
    opts: ResourceOptions,
    user: str = USER,
    capabilities: Sequence[str] = (),
    healthcheck: docker.ContainerHealthcheckArgs | None = None,
    ports: Sequence[docker.ContainerPortArgs] = (),
) -> docker.Container:
    """One container as its specification says, with no right that it does not need."""
    has_health = healthcheck is None or healthcheck.tests != ["NONE"]
    return docker.Container(
        container.name,
        name=f"{plan.name}-{container.name}",
        image=image,
        command=list(container.command),
        envs=[f"{name}={value}" for name, value in sorted(container.environment.items())],
        user=user,
        read_only=True,
        tmpfs={"/tmp": "", "/config": ""},  # noqa: S108 - in the container
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=list(capabilities)),
        security_opts=["no-new-privileges:true"],
        memory=int(container.memory_limit * _MIB_PER_GIB),
        cpus=str(container.cpus),
        volumes=list(volumes),
        networks_advanced=[
            docker.ContainerNetworksAdvancedArgs(name=network.name, aliases=[container.name])
        ],
        ports=list(ports),
        healthcheck=healthcheck,
        restart="always",
        wait=has_health,
        wait_timeout=300,
        destroy_grace_seconds=30,
        log_driver="json-file",
        log_opts={"max-size": "10m", "max-file": "5"},
        opts=ResourceOptions.merge(opts, ResourceOptions(delete_before_replace=True)),
    )


def data_mount(data: docker.Volume) -> docker.ContainerVolumeArgs:
    """The data volume, where the runtime expects it."""
    return docker.ContainerVolumeArgs(volume_name=data.name, container_path=DATA_DIRECTORY)


def secret_files(
    container: Container,
    plan: DockerPlan,
    identity: Identity,
    image: Output[str],
    opts: ResourceOptions,
) -> docker.ContainerVolumeArgs:
    """The volume with the container's secret files; ``image`` is the container's own."""
    files = {
        name: identity.files[name] for name in container.secret_files if name in identity.files
    }
    return secret_volume(container.name, plan, image, files, opts)


def make_server(
    plan: DockerPlan,
    identity: Identity,
    images: Images,
    network: docker.Network,
    data: docker.Volume,
    database: Database,
    opts: ResourceOptions,
) -> docker.Container:
    """`trackstack server`, healthy when this returns; what it said last is in the error if not."""
    return run(
        plan.server,
        plan,
        image=images.runtime_id,
        network=network,
        volumes=[
            data_mount(data),
            secret_files(plan.server, plan, identity, images.runtime_id, opts),
        ],
        healthcheck=docker.ContainerHealthcheckArgs(
            tests=["CMD", "/opt/trackstack/bin/python", "-I", "-m", "runtime.health"],
            interval="5s",
            timeout="5s",
            retries=3,
            start_period="120s",
        ),
        opts=ResourceOptions.merge(opts, ResourceOptions(depends_on=database.dependencies)),
    )
