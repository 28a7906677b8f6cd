"""The backend store: a DB system of MySQL or PostgreSQL in a private subnet, unless the stack file
gives one.

The server's own login, which may use one database, is kept in Vault as MySQLDBSecretKeeper writes
it, and for PostgreSQL with its `dialect`; the administrator's is seen by the container alone that
makes that database.
"""

import json

import pulumi
from pulumi import Output
from pulumi_oci import mysql, psql

from infra.clouds.oci.identity import Identity
from infra.clouds.oci.network import Network
from infra.clouds.oci.scope import Scope
from infra.clouds.oci.vault import Vault
from infra.clouds.shared.part import Part
from infra.inputs import Secrets
from infra.plan.oci import ADMINISTRATOR, DATABASE_NAME, DATABASE_USER, OciPlan
from runtime.oci.vault import DRIVERS

# Of an administrator's password.
_MOST_CHARACTERS = 32
# What the systems show as their certificate is their own, so that no name is checked.
_ADMINISTERED = {"mysql": "?ssl_check_hostname=false", "postgresql": "postgres?sslmode=require"}
_POSTGRESQL = "15"
_BACKUP_START = "02:00"


class Database(Part):
    """``secret`` is the OCID of the login in Vault, None where the stack file gives a URI;
    ``shown`` the store's URI without a password; ``system`` the OCID of MySQL's DB system, where
    there is one; ``ready`` are what a client of it depends on.
    """

    secret: Output[str] | None = None
    system: Output[str] | None = None

    def __init__(
        self,
        plan: OciPlan,
        secrets: Secrets,
        scope: Scope,
        identity: Identity,
        networks: Network,
        vault: Vault,
    ) -> None:
        super().__init__("oci", "database")
        scope = scope.within(self)
        self.ready: list[pulumi.Resource] = []
        self.shown: Output[str] = Output.from_input("in Vault")
        if secrets.backend_store_uri:
            identity.secrets.files["backend_store_uri"] = secrets.backend_store_uri
            self.shown = secrets.backend_store_uri
        elif plan.settings.database_secret_id:
            self.secret = Output.from_input(plan.settings.database_secret_id)
            vault.allow(self.secret)
        else:
            self.secret = self._make(plan, scope, identity, networks, vault)
        self.finish()

    def _make(
        self, plan: OciPlan, scope: Scope, identity: Identity, networks: Network, vault: Vault
    ) -> Output[str]:
        administrator = identity.secrets.generated(
            "database_admin_password", length=_MOST_CHARACTERS
        )
        password = identity.secrets.generated("database_password")
        dialect, port = plan.settings.database, plan.database_port
        if dialect == "mysql":
            system = _mysql(plan, scope, networks, administrator)
            self.system, host = system.id, system.ip_address
        else:
            system = _postgresql(plan, scope, networks, administrator)
            host = system.network_details.primary_db_endpoint_private_ip.apply(str)
        self.ready.append(system)
        driver = DRIVERS[dialect]
        identity.secrets.files["database_admin_uri"] = Output.secret(
            Output.concat(
                f"{driver}://{ADMINISTRATOR}:",
                administrator,
                "@",
                host,
                f":{port}/{_ADMINISTERED[dialect]}",
            )
        )
        self.shown = Output.concat(
            f"{driver}://{DATABASE_USER}:***@", host, f":{port}/{DATABASE_NAME}"
        )
        login = Output.all(host, password).apply(lambda both: _login(plan, both[0], both[1]))
        kept = vault.keep("database-login", "database", login)
        self.ready.append(kept)
        return kept.id


def _login(plan: OciPlan, host: str, password: str) -> str:
    dialect = plan.settings.database
    content = {
        **({} if dialect == "mysql" else {"dialect": dialect}),
        "user_name": DATABASE_USER,
        "password": password,
        "host": host,
        "port": str(plan.database_port),
        "database": DATABASE_NAME,
    }
    return json.dumps(content)


def _mysql(
    plan: OciPlan, scope: Scope, networks: Network, password: Output[str]
) -> mysql.MysqlDbSystem:
    settings = plan.settings
    return mysql.MysqlDbSystem(
        "database",
        display_name=f"{plan.names.base}-database",
        availability_domain=scope.availability_domain,
        shape_name=settings.shape,
        subnet_id=networks.database,
        nsg_ids=[networks.database_rules],
        hostname_label=None if settings.vcn_id else "database",
        admin_username=ADMINISTRATOR,
        admin_password=password,
        port=plan.database_port,
        data_storage_size_in_gb=settings.database_storage,
        is_highly_available=settings.high_availability,
        backup_policy=mysql.MysqlDbSystemBackupPolicyArgs(
            is_enabled=True, retention_in_days=settings.database_backup_days
        ),
        deletion_policies=[
            mysql.MysqlDbSystemDeletionPolicyArgs(
                is_delete_protected=settings.protect,
                automatic_backup_retention="RETAIN" if settings.keep_data else "DELETE",
                final_backup="REQUIRE_FINAL_BACKUP" if settings.keep_data else "SKIP_FINAL_BACKUP",
            )
        ],
        **scope.inside,
        # The provider replaces the system for it, terraform-provider-oci 8.28.0, mysql_db_system.
        opts=scope.data_ignoring("adminPassword"),
    )


def _postgresql(
    plan: OciPlan, scope: Scope, networks: Network, password: Output[str]
) -> psql.DbSystem:
    settings = plan.settings
    standby = settings.high_availability
    return psql.DbSystem(
        "database",
        display_name=f"{plan.names.base}-database",
        db_version=_POSTGRESQL,
        shape=settings.shape,
        # One more than the primary, which takes over.
        instance_count=2 if standby else 1,
        storage_details={
            "system_type": "OCI_OPTIMIZED_STORAGE",
            "is_regionally_durable": standby,
            "availability_domain": None if standby else scope.availability_domain,
        },
        network_details={
            "subnet_id": networks.database,
            "nsg_ids": [networks.database_rules],
        },
        credentials={
            "username": ADMINISTRATOR,
            "password_details": {"password_type": "PLAIN_TEXT", "password": password},
        },
        management_policy={
            "backup_policy": {
                "kind": "DAILY",
                "backup_start": _BACKUP_START,
                "retention_days": settings.database_backup_days,
            }
        },
        **scope.inside,
        # The provider replaces the system for it, terraform-provider-oci 8.28.0, psql_db_system.
        opts=scope.data_ignoring("dbVersion"),
    )
