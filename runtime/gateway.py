"""The key of the gateway's secrets: the team's API keys, which MLflow keeps in the backend store.

MLflow encrypts them under MLFLOW_CRYPTO_KEK_PASSPHRASE; without it, under a passphrase that stands
in its source, so that whoever has the database or a backup has the keys.
"""

from typing import Any, cast

from sqlalchemy import Connection, Engine, select, update

from runtime.settings import RuntimeSettings, variable
from runtime.webhooks import derived_key

# MLflow's for the version of the passphrase, and the version of ours: its own default is 1.
_VERSION_VARIABLE, _VERSION = "MLFLOW_CRYPTO_KEK_VERSION", 2


def environment(settings: RuntimeSettings) -> dict[str, str]:
    """What MLflow must be told: the given passphrase, else one made of the jobs' own secret.

    That is a secret that the stack keeps and nobody rotates. Where there is none either, MLflow's
    default stays: what follows from a bearer token would be lost when that is rotated.
    """
    if settings.gateway_passphrase:
        return {variable("gateway_passphrase"): settings.gateway_passphrase.get_secret_value()}
    derived = _derived(settings)
    if not derived:
        return {}
    return {variable("gateway_passphrase"): derived, _VERSION_VARIABLE: str(_VERSION)}


def _derived(settings: RuntimeSettings) -> str | None:
    if settings.gateway_passphrase or not settings.job_token:
        return None
    return derived_key(settings.job_token.get_secret_value(), b"trackstack gateway secrets")


def rewrap(settings: RuntimeSettings, engine: Engine) -> int:
    """Put secrets that are under MLflow's default passphrase under the stack's own; how many.

    Only their keys are encrypted anew, in one transaction. What is under another passphrase stays.
    """
    passphrase = _derived(settings)
    if not passphrase:
        return 0
    from mlflow.store.tracking.dbmodels.models import SqlGatewaySecret

    table = cast(Any, SqlGatewaySecret).__table__
    with engine.begin() as connection:
        if not engine.dialect.has_table(connection, table.name):
            return 0
        return _rewrap(connection, table, passphrase)


def _rewrap(connection: Connection, table: Any, passphrase: str) -> int:
    from mlflow.exceptions import MlflowException
    from mlflow.utils import crypto

    old = select(table.c.secret_id, table.c.encrypted_value, table.c.wrapped_dek)
    rows = connection.execute(old.where(table.c.kek_version < _VERSION)).all()
    if not rows:
        return 0
    library = cast(Any, crypto)
    public = library.KEKManager(passphrase=library.DEFAULT_KEK_PASSPHRASE, kek_version=1)
    own = library.KEKManager(passphrase=passphrase, kek_version=_VERSION)
    done = 0
    for row in rows:
        try:
            key = library.rotate_secret_encryption(row[1], row[2], public, own).wrapped_dek
        except MlflowException:
            continue
        change = update(table).where(table.c.secret_id == row[0])
        connection.execute(change.values(wrapped_dek=key, kek_version=_VERSION))
        done += 1
    return done
