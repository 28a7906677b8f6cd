"""`compute: container`: a Container Instance with server, scheduler and TLS front.

They share one network namespace. Secrets come as files, in a volume for each container; a container
that makes the database runs to its end beside them.
https://docs.oracle.com/iaas/Content/container-instances/home.htm
"""

from collections.abc import Mapping

import pulumi
from pulumi import Output
from pulumi_oci import containerengine as ci

from infra.clouds.oci.parts import Parts
from infra.clouds.shared.secret_files import encoded
from infra.plan import OciPlan
from infra.plan.workloads import DATA_DIRECTORY, SECRETS_DIRECTORY, Container
from runtime import health

_SHAPE = "CI.Standard.E4.Flex"
_GRACE_SECONDS = 60


def _secrets(
    container: Container, files: Mapping[str, Output[str]]
) -> ci.ContainerInstanceVolumeArgs:
    names = sorted(container.secret_files & files.keys())
    return ci.ContainerInstanceVolumeArgs(
        name=f"{container.name}-secrets",
        volume_type="CONFIGFILE",
        configs=[
            ci.ContainerInstanceVolumeConfigArgs(
                file_name=name, data=Output.secret(files[name].apply(encoded))
            )
            for name in names
        ],
    )


def _health_check(
    container: Container,
) -> list[ci.ContainerInstanceContainerHealthCheckArgs] | None:
    if container.port is None:
        return None
    kind = "TCP" if container.is_front else "HTTP"
    return [
        ci.ContainerInstanceContainerHealthCheckArgs(
            name="alive",
            health_check_type=kind,
            path=None if container.is_front else health.PATH,
            port=container.port,
            initial_delay_in_seconds=60,
            interval_in_seconds=30,
            timeout_in_seconds=10,
            failure_threshold=4,
            failure_action="KILL",
        )
    ]


def _container(parts: Parts, container: Container) -> ci.ContainerInstanceContainerArgs:
    plan = parts.plan
    command = list(container.command)
    mounts = {f"{container.name}-secrets": SECRETS_DIRECTORY, container.data_volume: DATA_DIRECTORY}
    return ci.ContainerInstanceContainerArgs(
        display_name=container.name,
        image_url=plan.settings.front_image if container.is_front else parts.images.runtime,
        environment_variables=parts.environment(container),
        is_resource_principal_disabled=container.is_front,
        resource_config=ci.ContainerInstanceContainerResourceConfigArgs(
            vcpus_limit=container.cpus, memory_limit_in_gbs=container.memory_limit
        ),
        health_checks=_health_check(container),
        volume_mounts=[
            ci.ContainerInstanceContainerVolumeMountArgs(
                volume_name=name, mount_path=path, is_read_only=path == SECRETS_DIRECTORY
            )
            for name, path in mounts.items()
        ],
        # The front's image has no entrypoint of its own.
        commands=command if container.is_front else None,
        arguments=None if container.is_front else command,
    )


def matching_rule(plan: OciPlan) -> str:
    """Of a dynamic group that holds the container instances of the stack's compartment."""
    compartment = plan.settings.compartment_id
    return (
        "ALL {resource.type = 'computecontainerinstance', "
        f"resource.compartment.id = '{compartment}'}}"
    )


def make_instance(parts: Parts, policy: pulumi.Resource) -> ci.ContainerInstance:
    """The container instance, in the private subnet."""
    plan, scope, networks = parts.plan, parts.scope, parts.networks
    settings = plan.settings
    return ci.ContainerInstance(
        "server",
        display_name=plan.names.base,
        availability_domain=scope.availability_domain,
        shape=_SHAPE,
        shape_config=ci.ContainerInstanceShapeConfigArgs(
            ocpus=plan.ocpus, memory_in_gbs=settings.memory
        ),
        # The container that makes the database ends well, and is left alone then.
        container_restart_policy="ON_FAILURE",
        graceful_shutdown_timeout_in_seconds=str(_GRACE_SECONDS),
        containers=[_container(parts, container) for container in plan.containers],
        volumes=[
            *(
                ci.ContainerInstanceVolumeArgs(
                    name=name, volume_type="EMPTYDIR", backing_store="EPHEMERAL_STORAGE"
                )
                for name in ("data", "front-data")
            ),
            *(_secrets(container, parts.identity.secrets.files) for container in plan.containers),
        ],
        vnics=[
            ci.ContainerInstanceVnicArgs(
                subnet_id=networks.compute,
                nsg_ids=[networks.front_rules, networks.server_rules],
                is_public_ip_assigned=False,
            )
        ],
        **scope.inside,
        opts=scope.after(policy, *parts.database.ready),
    )
