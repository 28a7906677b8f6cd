"""What state a store is in: whole or half restored, and of which MLflow's schema."""

from dataclasses import asdict, dataclass
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    inspect,
    select,
    text,
)

from runtime.database.migration import scripts
from runtime.database.own_tables import rows_of
from runtime.errors import UserError

VERSION_TABLE = "alembic_version"
_REVISIONS = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - a constant
# Present from a restore's first change to its last: the store is half restored.
MARK = Table("trackstack_restore", MetaData(), Column("backup", String(200), primary_key=True))
# What the store was last restored from, and what of it came.
_RESTORED = Table(
    "trackstack_restored",
    MetaData(),
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("backup", String(200), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("files", BigInteger, nullable=False),
    Column("others", BigInteger, nullable=False),
)
# And when, in ms since 1970.
_RESTORED_AT = Table(
    "trackstack_restored_at",
    MetaData(),
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
)


@dataclass(frozen=True)
class Restored:
    """A restore that ended: every table was compared with the backup's, every file by checksum.

    ``files`` are those of the backup that are there as it has them; in the place of ``others``
    stood other files already, which were left.
    """

    backup: str
    rows: int
    files: int
    others: int


def note_restored(engine: Engine, done: Restored, now: int) -> None:
    """Keep what a restore brought and when (ms since 1970), in the place of what one before did."""
    for table, values in ((_RESTORED, asdict(done)), (_RESTORED_AT, {"at": now})):
        table.create(engine, checkfirst=True)
        with engine.begin() as connection:
            connection.execute(table.delete())
            connection.execute(insert(table), {"one": 1, **values})


def restored_at(engine: Engine) -> int | None:
    """When the store was last restored, in ms since 1970; None where it was not."""
    found = rows_of(engine, _RESTORED_AT, select(_RESTORED_AT.c.at))
    return found[0].at if found else None


def restored(engine: Engine) -> Restored | None:
    """What the store was restored from; None where it was not."""
    names = [_RESTORED.c[name] for name in ("backup", "rows", "files", "others")]
    found = rows_of(engine, _RESTORED, select(*names))
    return Restored(*found[0]) if found else None


def check_whole(engine: Engine) -> None:
    """Raise UserError where a restore has begun and not ended."""
    if is_unfinished(engine):
        raise UserError(
            "a restore of this store did not end; run `trackstack restore` again, which begins anew"
        )


def is_unfinished(engine: Engine) -> bool:
    """Whether a restore has begun and not ended."""
    return inspect(engine).has_table(MARK.name)


def has_revision(revision: str) -> bool:
    """Whether this MLflow knows the schema revision."""
    from alembic.util.exc import CommandError

    try:
        scripts().get_revision(revision)
    except CommandError:
        return False
    return True


def check_known(engine: Engine, store: str) -> None:
    """Raise UserError where the schema is of a newer MLflow, whose tables this one does not know,
    or nobody can tell of which one.

    ``store`` is how the store is shown.
    """
    with engine.connect() as connection:
        is_empty = not engine.dialect.has_table(connection, "experiments")
        found = list[str]()
        if engine.dialect.has_table(connection, VERSION_TABLE):
            found = [str(each) for each in connection.execute(_REVISIONS).scalars()]
    if not is_empty and not found:
        raise UserError(
            f"{store} has MLflow's tables and no schema revision, as a copy that is not whole; "
            "restore a backup of it"
        )
    if unknown := [each for each in found if not has_revision(each)]:
        raise UserError(
            f"the schema of {store} ({unknown[0]}) is of a newer MLflow than this one; run that "
            "version again, or restore the backup that was made before it came"
        )
    if len(found) > 1:
        raise UserError(
            f"{store} has {len(found)} schema revisions ({', '.join(sorted(found))}), as two "
            "migrations at once leave it; restore the backup that was made before"
        )


def older(store: str) -> UserError:
    """What is wrong with a store of an older schema; ``store`` is how it is shown."""
    return UserError(
        f"the schema of {store} is older than this MLflow's; "
        "migrate it with `trackstack upgrade`, which backs it up first, or have the server do so "
        "by TRACKSTACK_UPGRADE=true; the MLflow that it is of cannot read it afterwards"
    )


def revisions(engine: Engine) -> tuple[str | None, str]:
    """The schema revision that the store has (None: it is empty) and the one it should have."""
    from mlflow.store.db import utils

    library = cast(Any, utils)
    with engine.connect() as connection:
        empty = not engine.dialect.has_table(connection, "experiments")
    has = None if empty else str(library._get_schema_version(engine))
    return has, str(scripts().get_current_head())
