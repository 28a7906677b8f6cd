"""The key of the gateway's secrets: the team's API keys, which MLflow keeps in the backend store.

MLflow encrypts them under MLFLOW_CRYPTO_KEK_PASSPHRASE; without it, under a passphrase that stands
in its source, so that whoever has the database or a backup has the keys.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Engine, select, update

from runtime.sealed.keys import derived_key, own_keys
from runtime.settings import RuntimeSettings, variable

_PURPOSE = b"trackstack gateway secrets"
_VERSION_VARIABLE = "MLFLOW_CRYPTO_KEK_VERSION"
# The version of MLflow's default, and of the passphrase that is made of the jobs' token.
_PUBLIC, _OF_JOBS = 1, 2


class Passphrase(NamedTuple):
    """``version`` stands beside each secret, and goes into its key."""

    version: int
    text: str


def environment(settings: RuntimeSettings) -> dict[str, str]:
    """What MLflow must be told: the passphrase that is given, else the newest of our own.

    Where there is none, MLflow's default stays: what follows from a bearer token would be lost when
    that is rotated.
    """
    if settings.gateway_passphrase:
        return {variable("gateway_passphrase"): settings.gateway_passphrase.get_secret_value()}
    return {
        name: text
        for own in passphrases(settings)[:1]
        for name, text in (
            (variable("gateway_passphrase"), own.text),
            (_VERSION_VARIABLE, str(own.version)),
        )
    }


def passphrases(settings: RuntimeSettings) -> list[Passphrase]:
    """The deployment's own, the newest first; behind them what earlier versions used."""
    own = [_of_key(key) for key in own_keys(settings)]
    if settings.job_token:
        secret = settings.job_token.get_secret_value()
        own.append(Passphrase(_OF_JOBS, derived_key(secret, _PURPOSE)))
    return own


def _of_key(key: str) -> Passphrase:
    """Its version is the key's mark, so that each secret says under which key it lies."""
    mark = int.from_bytes(hashlib.sha256(b"trackstack mark " + key.encode()).digest()[:4], "big")
    # Above all that somebody counts up to, and what a database's integer takes.
    return Passphrase(mark & 0x3FFFFFFF | 0x40000000, derived_key(key, _PURPOSE))


def rewrap(settings: RuntimeSettings, engine: Engine) -> tuple[int, list[str]]:
    """Put secrets under the newest passphrase: how many were, and the names of others.

    Only their keys are encrypted anew, in one transaction. Where a passphrase is given, it is its
    owner's to rotate.
    """
    known = passphrases(settings)
    if settings.gateway_passphrase or not known:
        return 0, []
    from mlflow.store.tracking.dbmodels.models import SqlGatewaySecret

    table = cast(Any, SqlGatewaySecret).__table__
    with engine.begin() as connection:
        if not engine.dialect.has_table(connection, table.name):
            return 0, []
        return _rewrap(connection, table, known)


def _rewrap(
    connection: Connection, table: Any, known: Sequence[Passphrase]
) -> tuple[int, list[str]]:
    from mlflow.exceptions import MlflowException
    from mlflow.utils import crypto

    newest = known[0]
    names = ("secret_id", "secret_name", "encrypted_value", "wrapped_dek", "kek_version")
    columns = (table.c[name] for name in names)
    rows = connection.execute(select(*columns).where(table.c.kek_version != newest.version)).all()
    if not rows:
        return 0, []
    library = cast(Any, crypto)
    public = Passphrase(_PUBLIC, library.DEFAULT_KEK_PASSPHRASE)
    # Each takes a quarter of a second to make.
    wanted = {newest.version, *(row.kek_version for row in rows)}
    managers = {
        each.version: library.KEKManager(passphrase=each.text, kek_version=each.version)
        for each in (*known, public)
        if each.version in wanted
    }
    done, left = 0, list[str]()
    for row in rows:
        try:
            before = managers[row.kek_version]
            new = library.rotate_secret_encryption(
                row.encrypted_value, row.wrapped_dek, before, managers[newest.version]
            )
        except (KeyError, MlflowException):
            left.append(str(row.secret_name))
            continue
        change = update(table).where(table.c.secret_id == row.secret_id)
        connection.execute(change.values(wrapped_dek=new.wrapped_dek, kek_version=newest.version))
        done += 1
    return done, left
