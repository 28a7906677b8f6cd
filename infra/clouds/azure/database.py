"""The backend store: a flexible server of PostgreSQL or MySQL, unless the stack file gives one.

TLS is required by the server and its certificate is checked by the client. In a network it has no
public address; without one, only Azure's own addresses reach it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi import Input, Output
from pulumi_azure_native import dbformysql, dbforpostgresql

from infra.clouds.azure import DATABASE_ZONES
from infra.clouds.azure.dns import zone_of
from infra.clouds.azure.identity import Identity
from infra.clouds.azure.network import DATABASE_PORTS, Network
from infra.clouds.azure.scope import Scope, replaced_for
from infra.clouds.shared.part import Part
from infra.inputs import Secrets
from infra.plan.azure import AzurePlan

_ADMINISTRATOR = _DATABASE = "mlflow"
_TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
# Azure lets nobody change it of a server that is there.
_SUBNET = "network.delegatedSubnetResourceId"
_BURSTABLE, _GENERAL, _MEMORY = "Burstable", "GeneralPurpose", "MemoryOptimized"
_TIERS = {"B": _BURSTABLE, "D": _GENERAL, "E": _MEMORY}


@dataclass(frozen=True)
class _Engine:
    """What differs between the two: the SDK's module, and how a client connects."""

    sdk: Any
    version: str
    zone: str
    uri: str
    charset: str
    collation: str
    in_network: Callable[[Output[str], Input[str]], Any]


def _postgresql(subnet: Output[str], zone: Input[str]) -> dbforpostgresql.NetworkArgs:
    return dbforpostgresql.NetworkArgs(
        delegated_subnet_resource_id=subnet, private_dns_zone_arm_resource_id=zone
    )


def _mysql(subnet: Output[str], zone: Input[str]) -> dbformysql.NetworkArgs:
    return dbformysql.NetworkArgs(
        delegated_subnet_resource_id=subnet, private_dns_zone_resource_id=zone
    )


_ENGINES: Mapping[str, _Engine] = {
    "postgresql": _Engine(
        dbforpostgresql,
        "16",
        DATABASE_ZONES["postgresql"],
        f"postgresql://{{}}@{{}}:{DATABASE_PORTS['postgresql']}/{_DATABASE}"
        f"?sslmode=verify-full&sslrootcert={_TRUSTED}",
        "UTF8",
        "en_US.utf8",
        _postgresql,
    ),
    "mysql": _Engine(
        dbformysql,
        # 8.0 is in extended support, for money, since June 2026.
        # https://learn.microsoft.com/azure/mysql/concepts-version-policy
        "8.4",
        DATABASE_ZONES["mysql"],
        # With an authority named, PyMySQL checks certificate and name.
        f"mysql+pymysql://{{}}@{{}}:{DATABASE_PORTS['mysql']}/{_DATABASE}?ssl_ca={_TRUSTED}",
        "utf8mb4",
        # One that tells case and accents apart, as PostgreSQL does.
        "utf8mb4_bin",
        _mysql,
    ),
}


class Database(Part):
    """``uri`` is the SQLAlchemy URI that the server connects to, secret; ``server`` is the
    resource's id, None where the database is given; ``ready`` are what a client of it depends on.
    """

    server: Output[str] | None = None

    def __init__(
        self,
        plan: AzurePlan,
        secrets: Secrets,
        scope: Scope,
        identity: Identity,
        networks: Network | None,
        after: Sequence[pulumi.Resource],
    ) -> None:
        """``after`` are what a server is neither made nor replaced before."""
        super().__init__("azure", "database")
        scope = scope.within(self)
        self.ready: list[pulumi.Resource] = []
        if secrets.backend_store_uri:
            self.uri: Output[str] = secrets.backend_store_uri
        else:
            self.uri = self._make(plan, scope, identity, networks, after)
        identity.secrets.files["backend_store_uri"] = self.uri
        self.finish()

    def _make(
        self,
        plan: AzurePlan,
        scope: Scope,
        identity: Identity,
        networks: Network | None,
        after: Sequence[pulumi.Resource],
    ) -> Output[str]:
        engine = _ENGINES[plan.settings.database]
        password = identity.secrets.generated("database_password")
        server = _server(engine, plan, scope, networks, password, after)
        database = engine.sdk.Database(
            "database",
            database_name=_DATABASE,
            server_name=server.name,
            charset=engine.charset,
            collation=engine.collation,
            **scope.nested,
            # They are given to a database that is made: one that is there keeps its own, since
            # what Azure does to its tables where they change is nowhere said.
            opts=scope.data_ignoring("charset", "collation"),
        )
        self.ready.append(database)
        if networks is None:
            # To Azure, this range means the addresses of its own services.
            rule = engine.sdk.FirewallRule(
                "database-rule",
                firewall_rule_name="azure",
                server_name=server.name,
                start_ip_address="0.0.0.0",  # noqa: S104
                end_ip_address="0.0.0.0",  # noqa: S104
                **scope.nested,
                # A server takes one change of its parts at a time, and answers ServerBusy to more.
                opts=scope.after(database),
            )
            self.ready.append(rule)
        self.server = server.id
        login = Output.concat(f"{_ADMINISTRATOR}:", password)
        return Output.secret(
            Output.all(login, server.fully_qualified_domain_name).apply(
                lambda both: engine.uri.format(*both)
            )
        )


def _server(
    engine: _Engine,
    plan: AzurePlan,
    scope: Scope,
    networks: Network | None,
    password: Output[str],
    after: Sequence[pulumi.Resource],
) -> Any:
    settings, sdk = plan.settings, engine.sdk
    network, depends_on = None, list(after)
    if networks:
        # The zone's name is free but for the ending.
        name = f"{plan.names.base}.private.{engine.zone}"
        zone = zone_of("database", name, engine.zone, plan, scope, networks)
        # Before the zone is linked to its network, Azure makes no server.
        network = engine.in_network(networks.database, zone.id)
        depends_on += zone.ready
    # Azure upgrades a server in place for another version, and there is no way back. After a
    # failover it is in another zone, for which the provider would make another server once the
    # state is refreshed: https://github.com/jenkins-infra/azure/pull/180
    kept = pulumi.ResourceOptions.merge(
        scope.data_ignoring("version", "availabilityZone"),
        pulumi.ResourceOptions(depends_on=depends_on),
    )
    return sdk.Server(
        "database-server",
        server_name=plan.names.database_server,
        version=engine.version,
        administrator_login=_ADMINISTRATOR,
        administrator_login_password=password,
        sku=_sku(sdk, settings.database_sku),
        storage=sdk.StorageArgs(
            storage_size_gb=Output.from_input(_storage(engine, plan, scope)), auto_grow="Enabled"
        ),
        backup=sdk.BackupArgs(
            backup_retention_days=settings.database_backup_days,
            geo_redundant_backup="Disabled",
        ),
        high_availability=sdk.HighAvailabilityArgs(
            mode="ZoneRedundant" if settings.high_availability else "Disabled"
        ),
        network=network,
        **scope.inside,
        opts=pulumi.ResourceOptions.merge(kept, replaced_for(_SUBNET)),
    )


async def _storage(engine: _Engine, plan: AzurePlan, scope: Scope) -> int:
    """GiB: what the stack file asks for, or more where the server has grown by itself. Azure makes
    no disk smaller, and refuses every change of a server that comes with a smaller one:
    https://github.com/hashicorp/terraform-provider-azurerm/issues/5865
    """
    wanted, names = plan.settings.database_storage, plan.names
    module = engine.sdk.__name__.rpartition(".")[2]
    try:
        there: Mapping[str, Any] = await pulumi.runtime.invoke_async(
            f"azure-native:{module}:getServer",
            {"resourceGroupName": names.resource_group, "serverName": names.database_server},
            pulumi.InvokeOptions(provider=scope.opts.provider),
        )
    except Exception as error:
        # The SDK has no narrower one.
        if "Status=404" in str(error):
            return wanted
        *_, last = str(error).strip().splitlines()
        raise pulumi.RunError(f"the server {names.database_server}: {last}") from None
    storage: Mapping[str, Any] = there.get("storage") or {}
    return max(wanted, int(storage.get("storageSizeGB") or 0))


def _sku(sdk: Any, name: str) -> Any:
    family = name.removeprefix("Standard_")[:1]
    sku = getattr(sdk, "MySQLServerSkuArgs", None) or sdk.SkuArgs
    return sku(name=name, tier=_TIERS.get(family, _GENERAL))
