"""A rehearsal of Azure as pulumi_azure_native reaches it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.clouds.shared.settled import SECONDS_VARIABLE
from infra.rehearsal.azure import identity, network, observability, privatedns, registry, tasks
from infra.rehearsal.azure.compute import app_environments, app_jobs, apps, containers, machines
from infra.rehearsal.azure.data import database, storage
from infra.rehearsal.azure.data.lookups import GetMysqlServer, GetPostgresServer
from infra.rehearsal.azure.emulator import Emulator
from infra.rehearsal.azure.entra import Entra
from infra.rehearsal.azure.identity import GetClientConfig, GetClientToken
from infra.rehearsal.azure.resource import AzureResource, ResourceGroup
from infra.rehearsal.host.host import Host
from infra.rehearsal.provider.conditions import RIGHTS_SECONDS
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.values import child, items
from infra.rehearsal.system import daemon

_MODULES = (
    app_environments,
    app_jobs,
    apps,
    containers,
    database,
    identity,
    machines,
    network,
    observability,
    privatedns,
    registry,
    storage,
    tasks,
)


_PORT = 443


@dataclass
class AzureCloud(Cloud):
    """``emulator`` runs its resources on this machine; None checks only."""

    emulator: Emulator | None = None

    def environment(self) -> Mapping[str, str]:
        """The login to the registry with the images that are copied from elsewhere, and how long
        rights are waited for.
        """
        if not self.emulator:
            return {}
        return {
            SECONDS_VARIABLE: self.conditions.settled,
            "REGISTRY_AUTH_FILE": str(daemon.logged_in(self.state_dir) / "config.json"),
        }

    def resolve(self, hostname: str, caller: str) -> str | None:
        for record in self.store.find(containers.ContainerGroup.token):
            if child(record.props, "ipAddress").get("fqdn") == hostname:
                return child(record.props, "ipAddress").get("ip")
        for record in self.store.find(apps.ContainerApp.token):
            if child(child(record.props, "configuration"), "ingress").get("fqdn") == hostname:
                lets_in = apps.lets_in(record.props, caller)
                name = f"{record.props['containerAppName']}-ingress"
                return self.emulator.host.address(name) if self.emulator and lets_in else None
        for record in self.store.find(network.PublicIPAddress.token):
            if record.props.get("dnsSettings", {}).get("fqdn") == hostname:
                return self._at(record.id, caller)
        for record in self.store.find(privatedns.PrivateRecordSet.token):
            if record.props["fqdn"] == f"{hostname}.":
                return next(r["ipv4Address"] for r in items(record.props, "aRecords"))
        for record in self.store.find(storage.StorageAccount.token):
            account = record.props["accountName"]
            if hostname == f"{account}.blob.core.windows.net" and storage.is_public(record.props):
                return self.emulator.host.address(f"blob-{account}") if self.emulator else None
        return None

    def _at(self, public: str, caller: str) -> str | None:
        """The address of the interface that has a public one, where its subnet lets callers in."""
        for record in self.store.find(machines.NetworkInterface.token):
            for entry in items(record.props, "ipConfigurations"):
                if child(entry, "publicIPAddress").get("id") == public:
                    subnet = self.store.get(child(entry, "subnet")["id"])
                    lets_in = subnet and network.lets_in(self.store, subnet.props, caller, _PORT)
                    return entry["privateIPAddress"] if lets_in else None
        return None

    def sweep(self) -> None:
        if self.emulator:
            self.emulator.host.sweep()

    def close(self) -> None:
        if self.emulator:
            self.emulator.host.close()


def _types() -> list[type[AzureResource]]:
    found = [kind for module in _MODULES for kind in vars(module).values()]
    own = {kind for kind in found if isinstance(kind, type) and issubclass(kind, AzureResource)}
    return [ResourceGroup, *sorted((k for k in own if "token" in vars(k)), key=lambda k: k.token)]


def open_cloud(state_dir: Path, *, emulates: bool = False) -> AzureCloud:
    """The cloud with its state in ``state_dir``; ``emulates`` runs its resources here."""
    functions = [
        observability.GetSharedKeys,
        tasks.GetUploadUrl,
        GetClientConfig,
        GetClientToken,
        GetMysqlServer,
        GetPostgresServer,
    ]
    made = AzureCloud("azure-native", _types(), state_dir, functions)
    if emulates:
        host = Host("azure", state_dir / "azure")
        made.emulator = Emulator(host, Entra(made, host))
        made.emulator.entra.open()
        made.conditions.rights = RIGHTS_SECONDS
    return made
