"""The backend store: a MySQL DB system in a private subnet, unless the stack file gives one.

The server's own login, which may use one database, is kept in Vault as MySQLDBSecretKeeper writes
it; the administrator's is seen by the container alone that makes that database.
"""

import json

import pulumi
from pulumi import Output
from pulumi_oci import mysql

from infra.clouds.oci.identity import Identity
from infra.clouds.oci.network import DATABASE_PORT, Networks
from infra.clouds.oci.scope import Scope
from infra.clouds.oci.vault import Vault
from infra.plan import OciPlan
from infra.plan.oci import ADMINISTRATOR, DATABASE_NAME, DATABASE_USER
from infra.settings import Secrets

# Of an administrator's password.
_MOST_CHARACTERS = 32


class Database:
    """``secret`` is the OCID of the login in Vault, None where the stack file gives a URI;
    ``shown`` the store's URI without a password; ``system`` the DB system's OCID, where there is
    one; ``ready`` what whoever connects must wait for.
    """

    secret: Output[str] | None = None
    system: Output[str] | None = None

    def __init__(
        self,
        plan: OciPlan,
        secrets: Secrets,
        scope: Scope,
        identity: Identity,
        networks: Networks,
        vault: Vault,
    ) -> None:
        self.ready: list[pulumi.Resource] = []
        self.shown: Output[str] = Output.from_input("in Vault")
        if secrets.backend_store_uri:
            identity.secrets.files["backend_store_uri"] = secrets.backend_store_uri
            self.shown = secrets.backend_store_uri
            return
        if plan.settings.database_secret_id:
            self.secret = Output.from_input(plan.settings.database_secret_id)
            vault.allow(self.secret)
        else:
            self.secret = self._make(plan, scope, identity, networks, vault)

    def _make(
        self, plan: OciPlan, scope: Scope, identity: Identity, networks: Networks, vault: Vault
    ) -> Output[str]:
        administrator = identity.secrets.generated(
            "database_admin_password", length=_MOST_CHARACTERS
        )
        password = identity.secrets.generated("database_password")
        system = _system(plan, scope, networks, administrator)
        self.system = system.id
        self.ready.append(system)
        host = system.ip_address
        identity.secrets.files["database_admin_uri"] = Output.secret(
            Output.concat(
                f"mysql+pymysql://{ADMINISTRATOR}:",
                administrator,
                "@",
                host,
                f":{DATABASE_PORT}/?ssl_check_hostname=false",
            )
        )
        self.shown = Output.concat(
            f"mysql+pymysql://{DATABASE_USER}:***@", host, f":{DATABASE_PORT}/{DATABASE_NAME}"
        )
        login = Output.all(host, password).apply(lambda both: _login(both[0], both[1]))
        kept = vault.keep("database-login", "database", login)
        self.ready.append(kept)
        return kept.id


def _login(host: str, password: str) -> str:
    content = {
        "user_name": DATABASE_USER,
        "password": password,
        "host": host,
        "port": str(DATABASE_PORT),
        "database": DATABASE_NAME,
    }
    return json.dumps(content)


def _system(
    plan: OciPlan, scope: Scope, networks: Networks, password: Output[str]
) -> mysql.MysqlDbSystem:
    settings = plan.settings
    return mysql.MysqlDbSystem(
        "database",
        display_name=f"{plan.names.base}-database",
        availability_domain=scope.availability_domain,
        shape_name=settings.database_shape,
        subnet_id=networks.database,
        nsg_ids=[networks.database_rules],
        hostname_label=None if settings.vcn_id else "database",
        admin_username=ADMINISTRATOR,
        admin_password=password,
        port=DATABASE_PORT,
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
        opts=scope.data,
    )
