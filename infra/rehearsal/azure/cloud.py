"""A rehearsal of Azure as pulumi_azure_native reaches it."""

from dataclasses import dataclass
from pathlib import Path

from infra.rehearsal.azure import identity, network, observability, privatedns, registry, tasks
from infra.rehearsal.azure.client import GetClientConfig, GetClientToken
from infra.rehearsal.azure.compute import apps, containers, machines
from infra.rehearsal.azure.data import database, storage
from infra.rehearsal.azure.emulator import Real
from infra.rehearsal.azure.entra import Entra
from infra.rehearsal.azure.resource import AzureResource, ResourceGroup
from infra.rehearsal.host.host import Ground
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.values import child, items

_MODULES = (
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
    """``real`` makes it real; None checks only."""

    real: Real | None = None

    def resolve(self, host: str, caller: str) -> str | None:
        for record in self.store.find(containers.ContainerGroup.token):
            if child(record.props, "ipAddress").get("fqdn") == host:
                return child(record.props, "ipAddress").get("ip")
        for record in self.store.find(apps.ContainerApp.token):
            if child(child(record.props, "configuration"), "ingress").get("fqdn") == host:
                lets_in = apps.lets_in(record.props, caller)
                name = f"{record.props['containerAppName']}-ingress"
                return self.real.ground.address(name) if self.real and lets_in else None
        for record in self.store.find(network.PublicIPAddress.token):
            if record.props.get("dnsSettings", {}).get("fqdn") == host:
                return self._at(record.id, caller)
        for record in self.store.find(privatedns.PrivateRecordSet.token):
            if record.props["fqdn"] == f"{host}.":
                return next(r["ipv4Address"] for r in items(record.props, "aRecords"))
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
        if self.real:
            self.real.ground.sweep()

    def close(self) -> None:
        if self.real:
            self.real.ground.close()


def _types() -> list[type[AzureResource]]:
    found = [kind for module in _MODULES for kind in vars(module).values()]
    own = {kind for kind in found if isinstance(kind, type) and issubclass(kind, AzureResource)}
    return [ResourceGroup, *sorted((k for k in own if "token" in vars(k)), key=lambda k: k.token)]


def cloud(state_dir: Path, *, is_real: bool = False) -> AzureCloud:
    """The cloud with its state in ``state_dir``; ``is_real`` lets its resources run."""
    functions = [
        observability.GetSharedKeys,
        tasks.GetUploadUrl,
        GetClientConfig,
        GetClientToken,
    ]
    made = AzureCloud("azure-native", _types(), state_dir, functions)
    if is_real:
        ground = Ground("azure", state_dir / "azure")
        made.real = Real(ground, Entra(made, ground))
        made.real.entra.open()
    return made
