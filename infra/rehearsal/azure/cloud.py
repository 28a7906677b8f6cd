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
from infra.rehearsal.provider.values import Props, child, items
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
                lets_in = self._enters(record.props, caller)
                name = f"{record.props['containerAppName']}-ingress"
                return self.emulator.host.address(name) if self.emulator and lets_in else None
        for record in self.store.find(network.PublicIPAddress.token):
            if record.props.get("dnsSettings", {}).get("fqdn") == hostname:
                return self._at(record.id, caller)
        for record in self.store.find(privatedns.PrivateRecordSet.token):
            if record.props["fqdn"] == f"{hostname}.":
                address = next(r["ipv4Address"] for r in items(record.props, "aRecords"))
                subnet = self._subnet_of(address)
                return address if not subnet or self._lets_in(subnet, caller) else None
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
                    lets_in = self._lets_in(child(entry, "subnet")["id"], caller)
                    return entry["privateIPAddress"] if lets_in else None
        return None

    def _subnet_of(self, address: str) -> str | None:
        """The id of the subnet in which an address is."""
        for record in self.store.find(machines.NetworkInterface.token):
            for entry in items(record.props, "ipConfigurations"):
                if entry["privateIPAddress"] == address:
                    return child(entry, "subnet")["id"]
        for record in self.store.find(containers.ContainerGroup.token):
            if child(record.props, "ipAddress").get("ip") == address:
                return next((each["id"] for each in items(record.props, "subnetIds")), None)
        return None

    def _enters(self, app: Props, caller: str) -> bool:
        """Whether an app answers: calls from outside go past the subnet of its environment, unless
        that is internal. https://learn.microsoft.com/azure/container-apps/firewall-integration
        """
        environment = self.store.get(app["environmentId"])
        given = child(environment.props, "vnetConfiguration") if environment else {}
        passes = not given.get("internal") or self._lets_in(given["infrastructureSubnetId"], caller)
        return passes and apps.lets_in(app, caller)

    def _lets_in(self, subnet: str, caller: str) -> bool:
        found = self.store.get(subnet)
        return found is not None and network.lets_in(self.store, found.props, caller, _PORT)

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
