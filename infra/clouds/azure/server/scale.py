"""`compute: scale`: Container Apps with the platform's TLS and load balancer, 1 to N replicas.

A new revision takes the traffic once it is healthy, so that an update costs no request. The jobs
run apart. Secrets are read from Key Vault by the identity and come as files.
https://learn.microsoft.com/azure/container-apps/
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import Output
from pulumi_azure_native import app

from infra.clouds.azure.identity import Vault
from infra.clouds.azure.parts import Parts
from infra.plan.naming import AZURE, fit
from infra.plan.workloads import DATA_DIRECTORY, SECRETS_DIRECTORY, Probe, Workload
from runtime.settings import variable

_PROFILE = "Consumption"
_SECRETS = "secrets"
_CONCURRENT_REQUESTS = 50
# An app and a job are in one environment for good.
WITHIN = ("environmentId",)
# As the ingress sees jobs: calls from the environment never leave it, and have not the addresses of
# its subnet. https://learn.microsoft.com/azure/container-apps/custom-virtual-networks
_INSIDE = "100.100.0.0/17"


class ContainerApps:
    """The environment that app and jobs share; ``uri`` is where the app is reached."""

    def __init__(self, parts: Parts, vault: Vault) -> None:
        self._parts, self._vault = parts, vault
        self.environment = _environment(parts, vault)
        self.uri: Output[str] = Output.concat(
            "https://",
            parts.plan.names.app,
            ".",
            self.environment.default_domain,
            parts.plan.settings.path_prefix,
        )

    def variables(self, workload: Workload) -> list[app.EnvironmentVarArgs]:
        """A workload's environment, with the address that only Azure knows."""
        known: Mapping[str, pulumi.Input[str]] = self._parts.environment(workload)
        addresses = (variable("given_tracking_uri"), variable("given_public_url"))
        variables = {**known, **dict.fromkeys(addresses, self.uri)}
        return [
            app.EnvironmentVarArgs(name=name, value=value)
            for name, value in sorted(variables.items())
        ]

    def secrets(self, workloads: Sequence[Workload]) -> list[app.SecretArgs]:
        """What an app or job of these workloads may read."""
        return [
            app.SecretArgs(
                name=name.replace("_", "-"),
                key_vault_url=self._vault.ids[name],
                identity=self._parts.identity.user.id,
            )
            for name in sorted({name for each in workloads for name in self._files(each)})
        ]

    def volumes(self, workloads: Sequence[Workload]) -> list[app.VolumeArgs]:
        """Secrets for each of them alone, and for all what they write."""
        return [
            *(
                app.VolumeArgs(
                    name=_secrets_volume(workload),
                    storage_type="Secret",
                    secrets=[
                        app.SecretVolumeItemArgs(secret_ref=name.replace("_", "-"), path=name)
                        for name in self._files(workload)
                    ],
                )
                for workload in workloads
            ),
            *(
                app.VolumeArgs(name=name, storage_type="EmptyDir")
                for name in dict.fromkeys(workload.volume for workload in workloads)
            ),
        ]

    def registries(self) -> list[app.RegistryCredentialsArgs]:
        own, identity = self._parts.images.registry, self._parts.identity.user.id
        return [app.RegistryCredentialsArgs(server=own, identity=identity)]

    def identity(self) -> app.ManagedServiceIdentityArgs:
        return app.ManagedServiceIdentityArgs(
            type="UserAssigned", user_assigned_identities=[self._parts.identity.user.id]
        )

    def container(self, workload: Workload) -> app.ContainerArgs:
        probes = _probes(workload.probe, workload.port) if workload.probe else None
        return app.ContainerArgs(**self._base(workload), probes=probes)

    def init_container(self, workload: Workload) -> app.InitContainerArgs:
        """It ends before the others start."""
        return app.InitContainerArgs(**self._base(workload))

    def _base(self, workload: Workload) -> dict[str, Any]:
        return {
            "name": fit(AZURE["container"], workload.name),
            "image": self._parts.image(workload),
            "command": list(workload.command) if workload.image == "proxy" else None,
            "args": None if workload.image == "proxy" else list(workload.command),
            "env": self.variables(workload),
            "resources": app.ContainerResourcesArgs(
                cpu=workload.cpu_request, memory=f"{workload.memory_request:g}Gi"
            ),
            "volume_mounts": [
                app.VolumeMountArgs(
                    volume_name=_secrets_volume(workload), mount_path=SECRETS_DIRECTORY
                ),
                app.VolumeMountArgs(volume_name=workload.volume, mount_path=DATA_DIRECTORY),
            ],
        }

    def _files(self, workload: Workload) -> list[str]:
        return sorted(workload.secret_files & self._vault.ids.keys())


def _secrets_volume(workload: Workload) -> str:
    """The server, and each job, have had no other beside them since their first day."""
    alone = workload.takes_rest or workload.kind == "job"
    return _SECRETS if alone else fit(AZURE["volume"], f"{workload.name}-{_SECRETS}")


def _environment(parts: Parts, vault: Vault) -> app.ManagedEnvironment:
    plan, networks = parts.plan, parts.networks
    if networks is None:
        raise ValueError("Container Apps are in a network")
    return app.ManagedEnvironment(
        "environment",
        environment_name=f"{plan.names.base}-apps",
        app_logs_configuration=app.AppLogsConfigurationArgs(
            destination="log-analytics",
            log_analytics_configuration=app.LogAnalyticsConfigurationArgs(
                customer_id=parts.logs.customer_id, shared_key=parts.logs.key
            ),
        ),
        vnet_configuration=app.VnetConfigurationArgs(
            infrastructure_subnet_id=networks.compute, internal=plan.settings.private
        ),
        workload_profiles=[app.WorkloadProfileArgs(name=_PROFILE, workload_profile_type=_PROFILE)],
        zone_redundant=plan.settings.high_availability,
        **parts.scope.inside,
        opts=pulumi.ResourceOptions.merge(
            parts.when_ready(replace_for=["vnetConfiguration"], after=vault.ready),
            # Another environment has another address, and a database's standby is no reason.
            pulumi.ResourceOptions(ignore_changes=["zoneRedundant"]),
        ),
    )


def _probes(probe: Probe, port: int | None) -> list[app.ContainerAppProbeArgs]:
    """Of a service with a port: while it starts, whether it lives, whether users may be sent."""
    if port is None:
        return []

    def of(kind: str, path: str | None, *, every: int, failures: int) -> app.ContainerAppProbeArgs:
        return app.ContainerAppProbeArgs(
            type=kind,
            http_get=app.ContainerAppProbeHttpGetArgs(path=path, port=port) if path else None,
            tcp_socket=None if path else app.ContainerAppProbeTcpSocketArgs(port=port),
            period_seconds=every,
            timeout_seconds=5,
            failure_threshold=failures,
        )

    return [
        of("Startup", probe.path, every=5, failures=48),
        of("Liveness", probe.path, every=30, failures=4),
        of("Readiness", probe.ready_path or probe.path, every=5, failures=6),
    ]


def _ingress(parts: Parts) -> app.IngressArgs:
    settings = parts.plan.settings
    # The jobs call the server, too.
    allowed = dict.fromkeys((*settings.allowed_cidrs, settings.network_cidr, _INSIDE))
    return app.IngressArgs(
        external=True,
        allow_insecure=False,
        target_port=parts.plan.workloads.server.port,
        transport="auto",
        traffic=[app.TrafficWeightArgs(latest_revision=True, weight=100)],
        ip_security_restrictions=[
            app.IpSecurityRestrictionRuleArgs(
                name=f"allowed-{index}", action="Allow", ip_address_range=cidr
            )
            for index, cidr in enumerate(allowed)
        ],
    )


def make_app(parts: Parts, apps: ContainerApps) -> app.ContainerApp:
    """The server's replicas, with the services beside it."""
    plan = parts.plan
    services, inits = plan.workloads.of("service"), plan.workloads.of("init")
    workloads = (*services, *inits)
    return app.ContainerApp(
        "server",
        container_app_name=plan.names.app,
        environment_id=apps.environment.id,
        workload_profile_name=_PROFILE,
        identity=apps.identity(),
        configuration=app.ConfigurationArgs(
            active_revisions_mode="Single",
            ingress=_ingress(parts),
            registries=apps.registries(),
            secrets=apps.secrets(workloads),
        ),
        template=app.TemplateArgs(
            containers=[apps.container(workload) for workload in services],
            init_containers=[apps.init_container(workload) for workload in inits] or None,
            volumes=apps.volumes(workloads),
            scale=app.ScaleArgs(
                min_replicas=plan.settings.min_replicas,
                max_replicas=plan.settings.max_replicas,
                rules=[
                    app.ScaleRuleArgs(
                        name="requests",
                        http=app.HttpScaleRuleArgs(
                            metadata={"concurrentRequests": str(_CONCURRENT_REQUESTS)}
                        ),
                    )
                ],
            ),
        ),
        **parts.scope.inside,
        opts=parts.when_ready(replace_for=WITHIN),
    )
