"""The two kinds of flexible servers and their parts, emulated by PostgreSQL and MariaDB."""

import re
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar

from infra.rehearsal.azure.data.servers import FlexibleServer, container, standby
from infra.rehearsal.azure.resource import AzureResource, refusal
from infra.rehearsal.provider.values import Props, child

_PART_SECONDS = 0.2
# GiB of Premium SSDs.
_STEPS = (32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767)


class Part(AzureResource):
    """A part of a flexible server, of which one is made at a time.

    https://github.com/hashicorp/terraform-provider-azurerm/pull/18159
    """

    parents = ("serverName",)
    alone: ClassVar[bool] = False

    def create(self, inputs: Props) -> tuple[str, Props]:
        if not self.alone:
            return super().create(inputs)
        with one_at_a_time(self.parent_id(inputs)):
            return super().create(inputs)


_busy: set[str] = set()


@contextmanager
def one_at_a_time(server: str) -> Generator[None]:
    if server in _busy:
        raise refusal("ServerBusy", f"Cannot complete operation: server {server} is busy.", 409)
    _busy.add(server)
    try:
        # What comes at the same time, comes now.
        time.sleep(_PART_SECONDS)
        yield
    finally:
        _busy.discard(server)


class Database(Part):
    """A database of a flexible server."""

    name_input = "databaseName"

    def command(self, login: str, inputs: Props) -> Sequence[str]:
        """What makes a database, in the server's container."""
        raise NotImplementedError

    def create(self, inputs: Props) -> tuple[str, Props]:
        made = super().create(inputs)
        if self.emulator:
            server = self.parent(inputs)
            command = self.command(server["administratorLogin"], inputs)
            code, said = self.emulator.host.execute(container(inputs["serverName"]), command)
            if code:
                raise refusal("DatabaseNotCreated", said.strip())
        return made


class FirewallRule(Part):
    """Addresses that may reach a server outside any network."""

    name_input = "firewallRuleName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        server = self.store.get(self.parent_id(inputs))
        if server and child(server.props, "network").get("delegatedSubnetResourceId"):
            message = "Firewall rules are not supported for a server in a virtual network."
            raise refusal("FirewallRuleNotSupported", message)


class PostgresServer(FlexibleServer):
    token = "azure-native:dbforpostgresql:Server"
    kind = "Microsoft.DBforPostgreSQL/flexibleServers"
    versions = ("13", "14", "15", "16", "17", "18")
    created_with = frozenset({"administratorLogin", "availabilityZone"})
    disks = _STEPS
    # https://learn.microsoft.com/azure/postgresql/flexible-server/concepts-compute
    sizes = re.compile(
        r"Standard_(B([1248]|12|16|20)ms|B2s|D\d+(s_v3|ds_v4)|DC?\d+(ds_v[56]|ads_v[56]|as_v5)"
        r"|E\d+(s_v3|ds_v4)|EC?\d+(ds_v[56]|ads_v5|as_v5))"
    )
    zone = "postgres.database.azure.com"
    zone_input = "privateDnsZoneArmResourceId"

    image = "postgresql"
    ready = ("pg_isready", "-h", "127.0.0.1")

    def variables(self, login: str) -> Mapping[str, str]:
        return {
            "POSTGRES_USER": login,
            "POSTGRES_DB": "postgres_unused",
            "POSTGRES_PASSWORD_FILE": "/server/password",
            "POSTGRES_TLS": "/server",
        }

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        # https://github.com/hashicorp/terraform-provider-azurerm/issues/27612
        tiers = [child(props, "sku").get("tier") for props in (inputs, known)]
        if standby(inputs) and not standby(known) and tiers[0] != tiers[1]:
            raise refusal("InvalidParameterValue", "A standby comes with no other tier.")
        return super().update(id, inputs, known)


class PostgresDatabase(Database):
    alone = True
    token = "azure-native:dbforpostgresql:Database"
    kind = "Microsoft.DBforPostgreSQL/flexibleServers/databases"

    def command(self, login: str, inputs: Props) -> Sequence[str]:
        socket = "/tmp"  # noqa: S108 - the folder of the server's socket in its container
        own = ["-E", inputs["charset"], inputs["databaseName"]]
        return ["createdb", "-h", socket, "-U", login, *own]


class PostgresFirewallRule(FirewallRule):
    alone = True
    token = "azure-native:dbforpostgresql:FirewallRule"
    kind = "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules"


class MysqlServer(FlexibleServer):
    token = "azure-native:dbformysql:Server"
    kind = "Microsoft.DBforMySQL/flexibleServers"
    versions = ("5.7", "8.0.21", "8.4")
    disks = range(20, 16385)
    # https://learn.microsoft.com/azure/mysql/flexible-server/concepts-service-tiers-storage
    sizes = re.compile(
        r"Standard_(B1ms|B2s|B([248]|12|16|20)ms|D\d+(ads_v5|ds_v4)|D96ds_v5"
        r"|E\d+(ds_v4|ads_v5|ds_v5)|E80ids_v4)"
    )
    refused: ClassVar[Mapping[str, str]] = {
        **FlexibleServer.refused,
        "administratorLogin": "InvalidParameterValue",
        "network.privateDnsZoneResourceId": "InvalidParameterValue",
    }
    zone = "mysql.database.azure.com"
    zone_input = "privateDnsZoneResourceId"
    image = "mysql"
    ready = ("mariadb-admin", "ping", "--silent")

    def variables(self, login: str) -> Mapping[str, str]:
        return {"MYSQL_ADMIN": login}

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        # https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs/resources/mysql_flexible_server
        if standby(inputs) and not standby(known):
            raise refusal("HACannotBeChanged", "A server has a standby from its creation.", 409)
        return super().update(id, inputs, known)


class MysqlDatabase(Database):
    token = "azure-native:dbformysql:Database"
    kind = "Microsoft.DBforMySQL/flexibleServers/databases"

    def command(self, login: str, inputs: Props) -> Sequence[str]:
        kind = f"CHARACTER SET {inputs['charset']} COLLATE {inputs['collation']}"
        return ["mariadb", "-e", f"CREATE DATABASE `{inputs['databaseName']}` {kind}"]


class MysqlFirewallRule(FirewallRule):
    token = "azure-native:dbformysql:FirewallRule"
    kind = "Microsoft.DBforMySQL/flexibleServers/firewallRules"
