"""A rehearsal of OCI as pulumi_oci reaches it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from infra.clouds.shared.settled import SECONDS_VARIABLE
from infra.rehearsal.oci import balancer, identity, network, observability, registry
from infra.rehearsal.oci.compute import api, containers, instances, pools
from infra.rehearsal.oci.data import mysql, postgresql, storage
from infra.rehearsal.oci.emulator import HOSTS, Emulator, make_emulator
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider.conditions import RIGHTS_SECONDS
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.values import Props, child, items
from infra.rehearsal.system import daemon
from runtime import settings
from runtime.oci import login as oci_login

_MODULES = (
    balancer,
    containers,
    identity,
    instances,
    mysql,
    network,
    observability,
    pools,
    postgresql,
    registry,
    storage,
)
_PORT = 443


@dataclass
class OciCloud(Cloud):
    """``emulator`` runs its resources on this machine; None checks only."""

    emulator: Emulator | None = None
    # Vault and name of secrets that were deleted: OCI does it after a day at least.
    pending: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    # How many connections went to one of several backends.
    next_backend: int = 0

    def resolve(self, hostname: str, caller: str) -> str | None:
        if self.emulator and hostname in HOSTS:
            return self.emulator.host.address(hostname.split(".")[0])
        for record in self.store.find(balancer.NetworkLoadBalancer.token):
            if hostname in [ip["ipAddress"] for ip in items(record.props, "ipAddresses")]:
                return self._behind(record.id, record.props["networkSecurityGroupIds"], caller)
        for vnic in self._vnics():
            label = vnic.get("hostnameLabel")
            subnet = self.store.get(vnic["subnetId"])
            vcn = self.store.get(subnet.props["vcnId"]) if subnet else None
            if label and subnet and vcn:
                domain = f"{subnet.props['dnsLabel']}.{vcn.props['dnsLabel']}.oraclevcn.com"
                if hostname == f"{label}.{domain}":
                    return vnic["privateIp"] if self._lets_in(vnic["nsgIds"], caller) else None
        return None

    def _vnics(self) -> Iterator[Props]:
        """Of all that computes, with their addresses."""
        for record in self.store.find(containers.ContainerInstance.token):
            yield from items(record.props, "vnics")
        for record in self.store.find(instances.Instance.token):
            vnic = child(record.props, "createVnicDetails")
            yield {**vnic, "privateIp": record.props["privateIp"]}

    def _behind(self, id: str, groups: list[str], caller: str) -> str | None:
        """The address of the backend of a load balancer, where all rules let the caller in."""
        address = self._backend(id)
        if not address or not self._lets_in(groups, caller):
            return None
        for vnic in self._vnics():
            # The load balancer keeps the caller's address.
            if vnic["privateIp"] == address and self._lets_in(vnic["nsgIds"], caller):
                return address
        return None

    def _backend(self, id: str) -> str | None:
        """The address of the next backend, round robin."""
        backends = self.store.find(balancer.Backend.token, networkLoadBalancerId=id)
        addresses = [str(b.props["ipAddress"]) for b in backends if not b.props.get("isDrain")]
        if len(addresses) < 2:
            return next(iter(addresses), None)
        self.next_backend += 1
        ordered = (
            addresses[self.next_backend % len(addresses) :]
            + addresses[: self.next_backend % len(addresses)]
        )
        [checked] = self.store.find(balancer.BackendSet.token, networkLoadBalancerId=id)
        path = balancer.checked_path(checked.props)
        return next((found for found in ordered if api.is_healthy(found, path)), None)

    def _lets_in(self, groups: list[str], caller: str) -> bool:
        return network.lets_in(self.store, groups, caller, _PORT)

    def keys(self) -> dict[str, object]:
        return {"registryHost": self.emulator.registry} if self.emulator else {}

    def environment(self) -> dict[str, str]:
        if not self.emulator:
            return {}
        login = {"OCI_CONFIG_FILE": str(self.emulator.deployer())}
        return {
            **login,
            SECONDS_VARIABLE: self.conditions.settled,
            **oci_login.of_provider(settings.load(login)),
            "REQUESTS_CA_BUNDLE": str(self.emulator.host.authority.file),
            # The login to the registry with the images that are copied from elsewhere.
            "REGISTRY_AUTH_FILE": str(daemon.logged_in(self.state_dir) / "config.json"),
        }

    def sweep(self) -> None:
        if self.emulator:
            self.emulator.host.sweep()

    def close(self) -> None:
        if self.emulator:
            self.emulator.host.close()


def _types() -> list[type[OciResource]]:
    found = [kind for module in _MODULES for kind in vars(module).values()]
    own = {kind for kind in found if isinstance(kind, type) and issubclass(kind, OciResource)}
    return sorted((kind for kind in own if "token" in vars(kind)), key=lambda kind: kind.token)


def open_cloud(state_dir: Path, *, emulates: bool = False) -> OciCloud:
    """The cloud with its state in ``state_dir``; ``emulates`` runs its resources here."""
    functions = [
        containers.GetVnic,
        identity.GetAvailabilityDomains,
        identity.GetRegionSubscriptions,
        instances.GetImages,
        network.GetServices,
        storage.GetBucket,
        storage.GetBucketSummaries,
        storage.GetNamespace,
        storage.GetVault,
    ]
    made = OciCloud("oci", _types(), state_dir, functions)
    if emulates:
        made.emulator = make_emulator(made, state_dir)
        made.conditions.rights = RIGHTS_SECONDS
        made.emulator.host.endpoint.routes["/api"] = api.Api(made.emulator).answer
    return made
