"""`compute: scale`: Container Apps with the platform's TLS and load balancer, 1 to N replicas.

A new revision takes the traffic once it is healthy, so that an update costs no request. The jobs
run apart. Secrets are read from Key Vault by the identity and come as files.
https://learn.microsoft.com/azure/container-apps/
"""

from collections.abc import Mapping

import pulumi
from pulumi import Output
from pulumi_azure_native import app

from infra.clouds.azure.identity import Vault
from infra.clouds.azure.parts import Parts
from infra.plan.workloads import (
    DATA_DIRECTORY,
    SECRETS_DIRECTORY,
    SERVER_PORT,
    Container,
)
from runtime import health
from runtime.settings import variable

_PROFILE = "Consumption"
_DATA, _SECRETS = "data", "secrets"
_CONCURRENT_REQUESTS = 50


class ContainerApps:
    """The environment that app and jobs share; ``uri`` is where the app is reached."""

    def __init__(self, parts: Parts, vault: Vault) -> None:
        self._parts, self._vault = parts, vault
        self.environment = _environment(parts)
        self.uri: Output[str] = Output.concat(
            "https://", parts.plan.names.app, ".", self.environment.default_domain
        )

    def variables(self, container: Container) -> list[app.EnvironmentVarArgs]:
        """The container's environment, with the address that only Azure knows."""
        known: Mapping[str, pulumi.Input[str]] = self._parts.environment(container)
        addresses = (variable("given_tracking_uri"), variable("given_public_url"))
        variables = {**known, **dict.fromkeys(addresses, self.uri)}
        return [
            app.EnvironmentVarArgs(name=name, value=value)
            for name, value in sorted(variables.items())
        ]

    def secrets(self, container: Container) -> list[app.SecretArgs]:
        return [
            app.SecretArgs(
                name=name.replace("_", "-"),
                key_vault_url=self._vault.ids[name],
                identity=self._parts.identity.user.id,
            )
            for name in self._files(container)
        ]

    def volumes(self, container: Container) -> list[app.VolumeArgs]:
        items = [
            app.SecretVolumeItemArgs(secret_ref=name.replace("_", "-"), path=name)
            for name in self._files(container)
        ]
        return [
            app.VolumeArgs(name=_SECRETS, storage_type="Secret", secrets=items),
            app.VolumeArgs(name=_DATA, storage_type="EmptyDir"),
        ]

    def registries(self) -> list[app.RegistryCredentialsArgs]:
        own, identity = self._parts.images.registry, self._parts.identity.user.id
        return [app.RegistryCredentialsArgs(server=own, identity=identity)]

    def identity(self) -> app.ManagedServiceIdentityArgs:
        return app.ManagedServiceIdentityArgs(
            type="UserAssigned", user_assigned_identities=[self._parts.identity.user.id]
        )

    def container(
        self, container: Container, probes: list[app.ContainerAppProbeArgs] | None = None
    ) -> app.ContainerArgs:
        settings = self._parts.plan.settings
        return app.ContainerArgs(
            name=container.name,
            image=self._parts.images.runtime,
            args=list(container.command),
            env=self.variables(container),
            resources=app.ContainerResourcesArgs(
                cpu=settings.cpus, memory=f"{settings.memory:g}Gi"
            ),
            probes=probes,
            volume_mounts=[
                app.VolumeMountArgs(volume_name=_SECRETS, mount_path=SECRETS_DIRECTORY),
                app.VolumeMountArgs(volume_name=_DATA, mount_path=DATA_DIRECTORY),
            ],
        )

    def _files(self, container: Container) -> list[str]:
        return sorted(container.secret_files & self._vault.ids.keys())


def _environment(parts: Parts) -> app.ManagedEnvironment:
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
        opts=parts.when_ready(),
    )


def _probe(
    kind: str, *, every: int, failures: int, path: str = health.PATH
) -> app.ContainerAppProbeArgs:
    return app.ContainerAppProbeArgs(
        type=kind,
        http_get=app.ContainerAppProbeHttpGetArgs(path=path, port=SERVER_PORT),
        period_seconds=every,
        timeout_seconds=5,
        failure_threshold=failures,
    )


def _ingress(parts: Parts) -> app.IngressArgs:
    settings = parts.plan.settings
    # The jobs call the server from the stack's own network.
    allowed = dict.fromkeys((*settings.allowed_cidrs, settings.network_cidr))
    return app.IngressArgs(
        external=True,
        allow_insecure=False,
        target_port=SERVER_PORT,
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
    """The server's replicas."""
    plan = parts.plan
    probes = [
        _probe("Startup", every=5, failures=48),
        _probe("Liveness", every=30, failures=4),
        _probe("Readiness", every=5, failures=6, path=health.READY_PATH),
    ]
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
            secrets=apps.secrets(plan.server),
        ),
        template=app.TemplateArgs(
            containers=[apps.container(plan.server, probes)],
            volumes=apps.volumes(plan.server),
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
        opts=parts.when_ready(),
    )
