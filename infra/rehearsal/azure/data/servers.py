"""Flexible servers: what PostgreSQL and MySQL share."""

import re
from collections.abc import Container, Mapping, Sequence
from typing import ClassVar

from infra.rehearsal.azure.network import Subnet
from infra.rehearsal.azure.privatedns import PrivateZone, linked
from infra.rehearsal.azure.resource import AzureResource, refusal
from infra.rehearsal.host.host import Host
from infra.rehearsal.provider import checks
from infra.rehearsal.provider.values import Props, child, items
from infra.rehearsal.system import daemon
from infra.rehearsal.system.waiting import wait_for

_TIERS = {"B": "Burstable", "D": "GeneralPurpose", "E": "MemoryOptimized"}
_RESERVED = ("azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest")


class FlexibleServer(AzureResource):
    """Of either kind."""

    name_input = "serverName"
    versions: ClassVar[tuple[str, ...]]
    zone: ClassVar[str]
    zone_input: ClassVar[str]
    # Of ../../images, and the command in it that succeeds once the server answers.
    image: ClassVar[str]
    ready: ClassVar[Sequence[str]]

    refused: ClassVar[Mapping[str, str]] = {
        "network.delegatedSubnetResourceId": "CannotChangeSubnet"
    }
    # https://github.com/Altinn/dialogporten/pull/4127
    growing: ClassVar[Mapping[str, str]] = {
        "storage.storageSizeGB": "UpsertServerManagementOperationDowngradeDiskSizeUnsupported"
    }
    # Its names of sizes, and what it takes as a disk, in GiB.
    sizes: ClassVar[re.Pattern[str]]
    disks: ClassVar[Container[int]]

    newer = frozenset({"version"})

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        name = inputs["serverName"]
        wrong = (
            f"The server name '{name}' is not valid: lower-case letters, digits and hyphens, 3 to"
            " 63 characters, no hyphen at an end."
        )
        named = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
        checks.named(name, named, 3, 63, refusal("InvalidServerName", wrong))
        for other in self.store.find(self.token, serverName=name):
            if other.id.lower() != self.identify(inputs).lower():
                message = f"The specified server name '{name}' is already used."
                raise refusal("ServerNameAlreadyExists", message, 409)
        self._verify_login(inputs)
        self._verify_size(inputs)
        self._verify_network(inputs)

    def _verify_login(self, inputs: Props) -> None:
        login, password = inputs.get("administratorLogin"), inputs.get("administratorLoginPassword")
        if login in _RESERVED or str(login).startswith("pg_"):
            raise refusal("InvalidParameterValue", f"The login name '{login}' is reserved.")
        classes = ("[a-z]", "[A-Z]", "[0-9]", "[^a-zA-Z0-9]")
        matched = sum(bool(re.search(pattern, password or "")) for pattern in classes)
        if not 8 <= len(password or "") <= 128 or matched < 3:
            raise refusal(
                "PasswordNotComplex",
                "The password must have 8 to 128 characters of three of: lower case, upper case,"
                " digits, others.",
            )

    def _verify_size(self, inputs: Props) -> None:
        version, sku = inputs.get("version"), child(inputs, "sku")
        if version not in self.versions:
            allowed = ", ".join(self.versions)
            raise refusal("VersionNotSupported", f"Version {version} is none of {allowed}.")
        if not self.sizes.fullmatch(str(sku.get("name"))):
            message = f"The SKU {sku.get('name')} is none of {self.kind}."
            raise refusal("InvalidSkuName", message)
        family = str(sku.get("name", "")).removeprefix("Standard_")[:1]
        if _TIERS.get(family) != sku.get("tier"):
            message = f"The SKU {sku.get('name')} is not of the tier {sku.get('tier')}."
            raise refusal("InvalidSkuTier", message)
        if standby(inputs) and sku.get("tier") == "Burstable":
            message = "High availability is not supported for the Burstable tier."
            raise refusal("HANotSupportedForBurstable", message)
        size = child(inputs, "storage").get("storageSizeGB")
        if size is not None and int(size) not in self.disks:
            raise refusal("InvalidStorageSize", f"Storage of {size} GiB is none of {self.disks}.")

    def _verify_network(self, inputs: Props) -> None:
        subnet = child(inputs, "network").get("delegatedSubnetResourceId")
        if not subnet:
            return
        props = self.referred(inputs, subnet, Subnet)
        delegated = [entry.get("serviceName") for entry in items(props, "delegations")]
        if self.kind not in delegated:
            message = f"The subnet {subnet} is not delegated to {self.kind}."
            raise refusal("SubnetNotDelegated", message)
        zone = self.find(child(inputs, "network").get(self.zone_input), PrivateZone.token)
        if zone is None or not zone.id.lower().endswith(self.zone):
            message = f"A server in a subnet needs a private DNS zone that ends in {self.zone}."
            raise refusal("PrivateDnsZoneRequired", message)
        network = subnet.rsplit("/subnets/", 1)[0]
        if not linked(self.store, zone.id, network):
            message = f"The private DNS zone is not linked to the network {network}."
            raise refusal("PrivateDnsZoneNotLinked", message)

    def compute(self, id: str, inputs: Props) -> Props:
        name = f"{inputs['serverName']}.{self.zone}"
        return {**super().compute(id, inputs), "fullyQualifiedDomainName": name, "state": "Ready"}

    def variables(self, login: str) -> Mapping[str, str]:
        """The image's environment, for an administrator of this name."""
        raise NotImplementedError

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        if self.emulator:
            self._start(self.emulator.host, inputs, props["fullyQualifiedDomainName"])
        return id, props

    def delete(self, id: str, known: Props) -> None:
        if self.emulator:
            self.emulator.host.remove(container(known["serverName"]))

    def _start(self, host: Host, inputs: Props, hostname: str) -> None:
        name = container(inputs["serverName"])
        chain, key = host.authority.issue(hostname)
        password = inputs["administratorLoginPassword"].encode()
        folder = host.files(name, {"tls.pem": chain, "tls.key": key, "password": password})
        environment = self.variables(inputs["administratorLogin"])
        image = daemon.built_image(self.image)
        host.run(
            name, image, aliases=[hostname], environment=environment, mounts={"/server": folder}
        )
        wait_for(lambda: host.execute(name, self.ready)[0] == 0, f"the server {hostname}", 90)


def container(server: str) -> str:
    """The name of a server's container on the host."""
    return f"database-{server}"


def standby(server: Props) -> bool:
    """Whether it has one."""
    return child(server, "highAvailability").get("mode", "Disabled") != "Disabled"
