"""`compute: container`: a Container Instances group with server, scheduler and reverse proxy.

They share one network namespace and only the proxy's port is open. Secrets come as files, in a
volume for each container. https://learn.microsoft.com/azure/container-instances/
"""

from collections.abc import Mapping

from pulumi import Output
from pulumi_azure_native import containerinstance as aci

from infra.clouds.azure.dns import make_record
from infra.clouds.azure.parts import Parts
from infra.clouds.shared.secret_files import encoded
from infra.plan.naming import AZURE, fit
from infra.plan.proxy import PORT
from infra.plan.workloads import DATA_DIRECTORY, SECRETS_DIRECTORY, Probe, Workload

# What Azure changes in no group that is there, though the provider asks it to.
# https://learn.microsoft.com/azure/container-instances/container-instances-update
_FIXED = ("containers[*].resources", "ipAddress", "osType", "restartPolicy", "subnetIds")


def _container_name(workload: Workload) -> str:
    return fit(AZURE["container"], workload.name)


def _secrets_name(workload: Workload) -> str:
    return fit(AZURE["volume"], f"{workload.name}-secrets")


def _secrets(workload: Workload, files: Mapping[str, Output[str]]) -> aci.VolumeArgs:
    names = sorted(workload.secret_files & files.keys())
    return aci.VolumeArgs(
        name=_secrets_name(workload),
        secret={name: Output.secret(files[name].apply(encoded)) for name in names},
    )


def _probe(probe: Probe) -> aci.ContainerProbeArgs:
    return aci.ContainerProbeArgs(
        exec_=aci.ContainerExecArgs(command=list(probe.command)),
        initial_delay_seconds=probe.start_seconds,
        period_seconds=30,
        timeout_seconds=10,
        failure_threshold=4,
    )


def _variables(parts: Parts, workload: Workload) -> list[aci.EnvironmentVariableArgs]:
    return [
        aci.EnvironmentVariableArgs(name=name, value=value)
        for name, value in sorted(parts.environment(workload).items())
    ]


def _mounts(workload: Workload) -> list[aci.VolumeMountArgs]:
    return [
        aci.VolumeMountArgs(
            name=_secrets_name(workload), mount_path=SECRETS_DIRECTORY, read_only=True
        ),
        aci.VolumeMountArgs(name=workload.volume, mount_path=DATA_DIRECTORY),
    ]


def _service(parts: Parts, workload: Workload) -> aci.ContainerArgs:
    is_public = workload.image == "proxy"
    return aci.ContainerArgs(
        name=_container_name(workload),
        image=parts.image(workload),
        command=list(workload.whole_command),
        environment_variables=_variables(parts, workload),
        ports=[aci.ContainerPortArgs(port=PORT, protocol="TCP")] if is_public else None,
        resources=aci.ResourceRequirementsArgs(
            requests=aci.ResourceRequestsArgs(
                cpu=workload.cpu_request, memory_in_gb=round(workload.memory_request, 1)
            ),
            limits=aci.ResourceLimitsArgs(
                cpu=workload.cpus, memory_in_gb=round(workload.memory_limit, 1)
            ),
        ),
        liveness_probe=_probe(workload.probe) if workload.probe else None,
        volume_mounts=_mounts(workload),
    )


def _init(parts: Parts, workload: Workload) -> aci.InitContainerDefinitionArgs:
    """It ends before a service starts, and shares the group's size with none of them."""
    return aci.InitContainerDefinitionArgs(
        name=_container_name(workload),
        image=parts.image(workload),
        command=list(workload.whole_command),
        environment_variables=_variables(parts, workload),
        volume_mounts=_mounts(workload),
    )


def make_group(parts: Parts) -> aci.ContainerGroup:
    """The group, and in a network a private name for its address."""
    plan, scope, identity = parts.plan, parts.scope, parts.identity
    inits = plan.workloads.of("init")
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
        init_containers=[_init(parts, workload) for workload in inits] or None,
        containers=[_service(parts, workload) for workload in plan.workloads.of("service")],
        volumes=[
            *(aci.VolumeArgs(name=name, empty_dir={}) for name in plan.workloads.volumes),
            *(_secrets(workload, identity.secrets.files) for workload in plan.workloads.all),
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
        opts=parts.when_ready(replace_for=_FIXED),
    )
    if parts.networks and plan.hostname:
        address = group.ip_address.apply(lambda found: (found.ip if found else "") or "")
        make_record("front", plan.hostname, address, scope, parts.networks)
    return group


def _address(parts: Parts) -> aci.IpAddressArgs:
    ports = [aci.PortArgs(port=PORT, protocol="TCP")]
    if parts.networks:
        return aci.IpAddressArgs(type="Private", ports=ports)
    return aci.IpAddressArgs(type="Public", ports=ports, dns_name_label=parts.plan.names.dns_label)
