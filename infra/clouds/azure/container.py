"""`compute: container`: a Container Instances group with server, scheduler and TLS front.

They share one network namespace and only the front's port is open. Secrets come as files, in a
volume for each container. https://learn.microsoft.com/azure/container-instances/
"""

from collections.abc import Mapping

import pulumi
from pulumi import Output
from pulumi_azure_native import containerinstance as aci

from infra.clouds.azure.network import make_record
from infra.clouds.azure.parts import Parts
from infra.clouds.shared.secret_files import encoded
from infra.plan.azure import FRONT_PORT
from infra.plan.proxy import PROBE_URL
from infra.plan.workloads import DATA_DIRECTORY, SECRETS_DIRECTORY, Container

# CPUs that the scheduler and the front are each given for certain; all may use what others leave.
_BESIDE_CPUS = 0.1


def _secrets(container: Container, files: Mapping[str, Output[str]]) -> aci.VolumeArgs:
    names = sorted(container.secret_files & files.keys())
    return aci.VolumeArgs(
        name=f"{container.name}-secrets",
        secret={name: Output.secret(files[name].apply(encoded)) for name in names},
    )


def _probe(*command: str, seconds: int) -> aci.ContainerProbeArgs:
    return aci.ContainerProbeArgs(
        exec_=aci.ContainerExecArgs(command=list(command)),
        initial_delay_seconds=seconds,
        period_seconds=30,
        timeout_seconds=10,
        failure_threshold=4,
    )


_PROBES = {
    "server": _probe("/opt/trackstack/bin/python", "-I", "-m", "runtime.health", seconds=60),
    "front": _probe("wget", "-q", "-O", "/dev/null", PROBE_URL, seconds=30),
}


def _container(
    container: Container,
    image: pulumi.Input[str],
    environment: Mapping[str, pulumi.Input[str]],
    cpus: float,
) -> aci.ContainerArgs:
    # The front's image has no entrypoint; that of the runtime would be lost with `command`.
    command = container.command if container.is_front else ("trackstack", *container.command)
    return aci.ContainerArgs(
        name=container.name,
        image=image,
        command=list(command),
        environment_variables=[
            aci.EnvironmentVariableArgs(name=name, value=value)
            for name, value in sorted(environment.items())
        ],
        ports=[aci.ContainerPortArgs(port=FRONT_PORT, protocol="TCP")]
        if container.is_front
        else None,
        resources=aci.ResourceRequirementsArgs(
            requests=aci.ResourceRequestsArgs(
                cpu=cpus, memory_in_gb=round(container.memory_request, 1)
            ),
            limits=aci.ResourceLimitsArgs(
                cpu=container.cpus, memory_in_gb=round(container.memory_limit, 1)
            ),
        ),
        liveness_probe=_PROBES.get(container.name),
        volume_mounts=[
            aci.VolumeMountArgs(
                name=f"{container.name}-secrets", mount_path=SECRETS_DIRECTORY, read_only=True
            ),
            aci.VolumeMountArgs(name=container.data_volume, mount_path=DATA_DIRECTORY),
        ],
    )


def make_group(parts: Parts) -> aci.ContainerGroup:
    """The group, and in a network a private name for its address."""
    plan, scope, identity = parts.plan, parts.scope, parts.identity
    images = {"front": plan.settings.front_image}
    cpus = {"server": plan.settings.cpus - 2 * _BESIDE_CPUS}
    group = aci.ContainerGroup(
        "server",
        container_group_name=plan.names.base,
        os_type="Linux",
        restart_policy="Always",
        identity=aci.ContainerGroupIdentityArgs(
            type=aci.ResourceIdentityType.USER_ASSIGNED, user_assigned_identities=[identity.user.id]
        ),
        image_registry_credentials=[
            aci.ImageRegistryCredentialArgs(server=parts.images.registry, identity=identity.user.id)
        ],
        containers=[
            _container(
                container,
                images.get(container.name, parts.images.runtime),
                parts.environment(container),
                cpus.get(container.name, _BESIDE_CPUS),
            )
            for container in plan.containers
        ],
        volumes=[
            *(aci.VolumeArgs(name=name, empty_dir={}) for name in ("data", "front-data")),
            *(_secrets(container, identity.secrets.files) for container in plan.containers),
        ],
        ip_address=_address(parts),
        subnet_ids=[aci.ContainerGroupSubnetIdArgs(id=parts.networks.compute)]
        if parts.networks
        else None,
        diagnostics=aci.ContainerGroupDiagnosticsArgs(
            log_analytics=aci.LogAnalyticsArgs(
                workspace_id=parts.logs.customer_id, workspace_key=parts.logs.key
            )
        ),
        **scope.inside,
        opts=parts.when_ready(),
    )
    if parts.networks and plan.hostname:
        address = group.ip_address.apply(lambda found: (found.ip if found else "") or "")
        make_record("front", plan.hostname, address, scope, parts.networks)
    return group


def _address(parts: Parts) -> aci.IpAddressArgs:
    ports = [aci.PortArgs(port=FRONT_PORT, protocol="TCP")]
    if parts.networks:
        return aci.IpAddressArgs(type="Private", ports=ports)
    return aci.IpAddressArgs(type="Public", ports=ports, dns_name_label=parts.plan.names.dns_label)
