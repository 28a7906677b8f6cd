"""PostgreSQL DB systems, emulated by PostgreSQL."""

import re

from infra.rehearsal.host.host import Host
from infra.rehearsal.oci.data.mysql import verify_password
from infra.rehearsal.oci.ids import DOMAINS
from infra.rehearsal.oci.network import NetworkSecurityGroup, Subnet
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider.values import Props, child
from infra.rehearsal.system import daemon
from infra.rehearsal.system.waiting import wait_for

_SHAPE = re.compile(r"PostgreSQL\.VM\.Standard\.E[45]\.Flex\.(2\.32|4\.64|8\.128|16\.256)GB")
_VERSIONS = ("13", "14", "15", "16")
_READY_SECONDS = 90


class DbSystem(OciResource):
    token = "oci:Psql/dbSystem:DbSystem"
    kind = "postgresqldbsystem"
    service = "Psql"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        network, storage = child(inputs, "networkDetails"), child(inputs, "storageDetails")
        self.referred(network["subnetId"], Subnet)
        for group in network.get("nsgIds") or ():
            self.referred(group, NetworkSecurityGroup)
        for problem in self._problems(inputs, storage):
            raise self.refusal("InvalidParameter", problem)
        credentials = child(inputs, "credentials")
        verify_password(self, child(credentials, "passwordDetails").get("password"))

    def _problems(self, inputs: Props, storage: Props) -> list[str]:
        days = child(child(inputs, "managementPolicy"), "backupPolicy").get("retentionDays")
        domain = storage.get("availabilityDomain")
        checks = {
            f"Shape {inputs['shape']} is not valid.": _SHAPE.fullmatch(str(inputs["shape"])),
            f"dbVersion {inputs['dbVersion']} is none.": inputs["dbVersion"] in _VERSIONS,
            "retentionDays must be 1 to 35.": days is None or 1 <= int(days) <= 35,
            "Storage is regionally durable, or in an availability domain.": (
                domain is None if storage["isRegionallyDurable"] else domain in DOMAINS
            ),
        }
        return [problem for problem, holds in checks.items() if not holds]

    def compute(self, id: str, inputs: Props) -> Props:
        known = self.store.get(id)
        network = child(known.props if known else inputs, "networkDetails")
        address = network.get("primaryDbEndpointPrivateIp") or "10.0.0.11"
        return {
            **super().compute(id, inputs),
            "networkDetails": {
                **child(inputs, "networkDetails"),
                "primaryDbEndpointPrivateIp": address,
            },
        }

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        if self.emulator:
            props["networkDetails"]["primaryDbEndpointPrivateIp"] = self._start(
                self.emulator.host, inputs
            )
        return id, props

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        return inputs or super().readable_inputs(props, inputs, known)

    def delete(self, id: str, known: Props) -> None:
        if self.emulator:
            self.emulator.host.remove(_container(known))

    def _start(self, host: Host, inputs: Props) -> str:
        name = _container(inputs)
        chain, key = host.authority.issue(name)
        credentials = child(inputs, "credentials")
        password = str(child(credentials, "passwordDetails")["password"]).encode()
        folder = host.files(name, {"tls.pem": chain, "tls.key": key, "password": password})
        environment = {
            "POSTGRES_USER": credentials["username"],
            "POSTGRES_DB": "postgres_unused",
            "POSTGRES_PASSWORD_FILE": "/server/password",
            "POSTGRES_TLS": "/server",
        }
        image = daemon.built_image("postgresql")
        host.run(name, image, environment=environment, mounts={"/server": folder})
        ready = ["pg_isready", "-h", "127.0.0.1"]
        wait_for(lambda: host.execute(name, ready)[0] == 0, name, _READY_SECONDS)
        return host.address(name) or ""


def _container(props: Props) -> str:
    return f"database-{props['displayName']}"
