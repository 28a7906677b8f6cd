"""MySQL DB systems, emulated by MariaDB."""

import re

from infra.rehearsal.host.host import Host
from infra.rehearsal.oci.ids import DOMAINS
from infra.rehearsal.oci.network import NetworkSecurityGroup, Subnet
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider.values import Props, child, items
from infra.rehearsal.system import daemon
from infra.rehearsal.system.waiting import wait_for

_SHAPES = frozenset({"MySQL.Free", *(f"MySQL.{size}" for size in (2, 4, 8, 16, 32, 48, 64, 256))})
_RESERVED = ("ocirpl", "ociadmin", "administrator", "mysql.sys", "root")
_READY_SECONDS = 120


class MysqlDbSystem(OciResource):
    token = "oci:Mysql/mysqlDbSystem:MysqlDbSystem"
    kind = "mysqldbsystem"
    service = "Mysql"

    @classmethod
    def computed(cls) -> frozenset[str]:
        """The address may be an input; where it is not, it is an output."""
        return super().computed() | {"ipAddress"}

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        self.referred(inputs["subnetId"], Subnet)
        for group in inputs.get("nsgIds") or ():
            self.referred(group, NetworkSecurityGroup)
        if inputs["availabilityDomain"] not in DOMAINS:
            wrong = f"Invalid availabilityDomain {inputs['availabilityDomain']}"
            raise self.refusal("InvalidParameter", wrong)
        shape, size = inputs["shapeName"], int(inputs.get("dataStorageSizeInGb") or 50)
        if shape not in _SHAPES:
            raise self.refusal("InvalidParameter", f"Shape {shape} is not valid.")
        if inputs.get("isHighlyAvailable") and shape == "MySQL.Free":
            raise self.refusal("InvalidParameter", "High availability needs another shape.")
        if not 50 <= size <= 131072:
            raise self.refusal("InvalidParameter", "dataStorageSizeInGBs must be 50 to 131072.")
        days = child(inputs, "backupPolicy").get("retentionInDays")
        if days is not None and not 1 <= int(days) <= 35:
            raise self.refusal("InvalidParameter", "retentionInDays must be 1 to 35.")
        self._verify_login(inputs)

    def _verify_login(self, inputs: Props) -> None:
        name = inputs.get("adminUsername", "")
        if not 1 <= len(name) <= 32 or name in _RESERVED:
            raise self.refusal("InvalidParameter", f"adminUsername {name} is not valid.")
        verify_password(self, inputs.get("adminPassword"))

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        # https://docs.oracle.com/iaas/api/#/en/mysql/latest/datatypes/DataStorageDetails
        if int(inputs.get("dataStorageSizeInGb") or 0) < int(known.get("dataStorageSizeInGb") or 0):
            raise self.refusal("InvalidParameter", "dataStorageSizeInGBs cannot be decreased.")
        return super().update(id, inputs, known)

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        props["ipAddress"] = (
            self._start(self.emulator.host, inputs) if self.emulator else "10.0.0.10"
        )
        return id, props

    def delete(self, id: str, known: Props) -> None:
        if any(policy.get("isDeleteProtected") for policy in items(known, "deletionPolicies")):
            message = "The DB System is delete protected."
            raise self.refusal("IncorrectState", message, 409)
        if self.emulator:
            self.emulator.host.remove(_container(known))

    def _start(self, host: Host, inputs: Props) -> str:
        name = _container(inputs)
        chain, key = host.authority.issue(name)
        password = inputs["adminPassword"].encode()
        folder = host.files(name, {"tls.pem": chain, "tls.key": key, "password": password})
        environment = {"MYSQL_ADMIN": inputs["adminUsername"]}
        image = daemon.built_image("mysql")
        # A service keeps a binary log, for recovery to a moment, and lets its users make triggers;
        # members of a group take no table without a primary key.
        options = ["--log-bin", "--log-bin-trust-function-creators=1"]
        if inputs.get("isHighlyAvailable"):
            options.append("--innodb-force-primary-key=1")
        host.run(name, image, options, environment=environment, mounts={"/server": folder})
        ready = ["mariadb-admin", "ping", "--silent"]
        wait_for(lambda: host.execute(name, ready)[0] == 0, f"MySQL {name}", _READY_SECONDS)
        return host.address(name) or ""


def verify_password(owner: OciResource, given: object) -> None:
    """Refuse an administrator's password that is too simple."""
    password = str(given or "")
    classes = ("[a-z]", "[A-Z]", "[0-9]", "[^a-zA-Z0-9]")
    if not 8 <= len(password) <= 32 or not all(re.search(p, password) for p in classes):
        raise owner.refusal(
            "InvalidParameter",
            "The administrator's password must have 8 to 32 characters, and one at least of each:"
            " lower case, upper case, digit, special character.",
        )


def _container(props: Props) -> str:
    return f"database-{props['displayName']}"
