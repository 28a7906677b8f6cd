"""`compute: container`: a Container Instance with server, scheduler and reverse proxy.

They share one network namespace. Secrets come as files, in a volume for each container. OCI has no
init containers: what makes the database runs to its end beside the others, which
are started again until it has.
https://docs.oracle.com/iaas/Content/container-instances/home.htm
"""

from collections.abc import Mapping

from pulumi import Output
from pulumi_oci import containerengine as ci

from infra.clouds.oci.identity import Granted
from infra.clouds.oci.server.parts import Parts
from infra.clouds.shared.secret_files import encoded
from infra.plan.oci import OciPlan, exact
from infra.plan.workloads import DATA_DIRECTORY, SECRETS_DIRECTORY, Workload

_GRACE_SECONDS = 60


def _secrets(
    workload: Workload, files: Mapping[str, Output[str]]
) -> ci.ContainerInstanceVolumeArgs:
    names = sorted(workload.secret_files & files.keys())
    return ci.ContainerInstanceVolumeArgs(
        name=f"{workload.name}-secrets",
        volume_type="CONFIGFILE",
        configs=[
            ci.ContainerInstanceVolumeConfigArgs(
                file_name=name, data=Output.secret(files[name].apply(encoded))
            )
            for name in names
        ],
    )


def _health_check(workload: Workload) -> list[ci.ContainerInstanceContainerHealthCheckArgs] | None:
    """Over the network only: OCI runs no command in a container."""
    if workload.probe is None or workload.port is None:
        return None
    return [
        ci.ContainerInstanceContainerHealthCheckArgs(
            name="alive",
            health_check_type="HTTP" if workload.probe.path else "TCP",
            path=workload.probe.path,
            port=workload.port,
            initial_delay_in_seconds=60,
            interval_in_seconds=30,
            timeout_in_seconds=10,
            failure_threshold=4,
            failure_action="KILL",
        )
    ]


def _container(parts: Parts, workload: Workload) -> ci.ContainerInstanceContainerArgs:
    is_runtime = workload.image == "runtime"
    command = list(workload.command)
    mounts = {f"{workload.name}-secrets": SECRETS_DIRECTORY, workload.volume: DATA_DIRECTORY}
    return ci.ContainerInstanceContainerArgs(
        display_name=workload.name,
        image_url=parts.image(workload),
        environment_variables=parts.environment(workload),
        is_resource_principal_disabled=not is_runtime,
        resource_config=ci.ContainerInstanceContainerResourceConfigArgs(
            vcpus_limit=exact(workload.cpus), memory_limit_in_gbs=exact(workload.memory_limit)
        ),
        health_checks=_health_check(workload),
        volume_mounts=[
            ci.ContainerInstanceContainerVolumeMountArgs(
                volume_name=name, mount_path=path, is_read_only=path == SECRETS_DIRECTORY
            )
            for name, path in mounts.items()
        ],
        # Only the runtime's image has an entrypoint of its own.
        commands=None if is_runtime else command,
        arguments=command if is_runtime else None,
    )


def matching_rule(plan: OciPlan) -> str:
    """Of a dynamic group that holds the container instances of the stack's compartment."""
    compartment = plan.settings.compartment_id
    return (
        "ALL {resource.type = 'computecontainerinstance', "
        f"resource.compartment.id = '{compartment}'}}"
    )


def make_instance(parts: Parts, granted: Granted) -> ci.ContainerInstance:
    """The container instance, in the private subnet."""
    plan, scope, networks = parts.plan, parts.scope, parts.networks
    return ci.ContainerInstance(
        "server",
        display_name=plan.names.base,
        availability_domain=scope.availability_domain,
        shape=plan.compute_shape,
        shape_config=ci.ContainerInstanceShapeConfigArgs(
            ocpus=plan.ocpus, memory_in_gbs=plan.memory
        ),
        # An init ends well, and is left alone then.
        container_restart_policy="ON_FAILURE",
        graceful_shutdown_timeout_in_seconds=str(_GRACE_SECONDS),
        containers=[_container(parts, workload) for workload in plan.workloads.all],
        volumes=[
            *(
                ci.ContainerInstanceVolumeArgs(
                    name=name, volume_type="EMPTYDIR", backing_store="EPHEMERAL_STORAGE"
                )
                for name in plan.workloads.volumes
            ),
            *(_secrets(workload, parts.identity.secrets.files) for workload in plan.workloads.all),
        ],
        vnics=[
            ci.ContainerInstanceVnicArgs(
                subnet_id=networks.compute,
                nsg_ids=[networks.proxy_rules, networks.server_rules],
                is_public_ip_assigned=False,
            )
        ],
        **scope.inside,
        opts=scope.after(granted.policy, granted.settled, *parts.ready),
    )
