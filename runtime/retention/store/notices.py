"""What stood in the scheduled reports, and since when: only that may be deleted on schedule.

What its owners were told of is noted in the same way.

Kept in the backend database, so that every replica and every job knows it, wherever it runs; in no
backup, so that notices start again after a restore.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from runtime.database.schema import among
from runtime.retention.entities import Stale

_CHUNK = 500
# What a pass may begin later in its day than the one before, in ms: what is stale after a day would
# else begin anew every day.
_LATE = 60 * 60 * 1000
_TABLES = MetaData()
# Times are milliseconds since 1970.
_NOTICES, _TOLD = (
    Table(
        name,
        _TABLES,
        # A digest: names of models may be long, and equal to a database that ignores case.
        Column("entity", String(64), primary_key=True),
        Column("first", BigInteger, nullable=False),
        Column("last", BigInteger, nullable=False),
    )
    for name in ("trackstack_prune_notices", "trackstack_prune_told")
)


def digest(entity: Stale) -> str:
    """How an entity is noted."""
    return sha256(f"{entity.kind.value}/{entity.key}".encode()).hexdigest()


def first_noted(entity: Stale, before: tuple[int, int] | None, now: int) -> int:
    """Since when an entity stands in every report, up to that of ``now``. Pure.

    ``before`` are the times of the first and last report that it stood in. Where the last is longer
    ago than nobody used the entity, somebody may have used it since, and it begins anew. So it does
    where a clock was put back.
    """
    if before is None or before[1] < entity.unused_since - _LATE or before[1] > now:
        return now
    return before[0]


def note(engine: Engine, entities: Sequence[Stale], now: int) -> dict[Stale, int]:
    """Note a report of ``entities``; returns since when each of them stands in every report.

    What does not stand in this one is forgotten.
    """
    return _note(_NOTICES, engine, entities, now, lambda anew: None)


def note_told(
    engine: Engine,
    entities: Sequence[Stale],
    now: int,
    tell: Callable[[Sequence[Stale]], None],
) -> dict[Stale, int]:
    """Note that owners know of ``entities``; returns since when they know of each.

    ``tell`` is called with those of which they do not; where it raises, nothing is noted.
    """
    return _note(_TOLD, engine, entities, now, tell)


def _note(
    table: Table,
    engine: Engine,
    entities: Sequence[Stale],
    now: int,
    tell: Callable[[Sequence[Stale]], None],
) -> dict[Stale, int]:
    _TABLES.create_all(engine)
    noted = {digest(entity): entity for entity in entities}
    with engine.connect() as connection:
        rows = connection.execute(select(table)).all()
    before = {row.entity: (row.first, row.last) for row in rows}
    first = {key: first_noted(each, before.get(key), now) for key, each in noted.items()}
    same = [key for key in noted if key in before and before[key][0] == first[key]]
    anew = [key for key in noted if key not in before or before[key][0] != first[key]]
    begun = set(anew)
    if anew:
        tell([noted[key] for key in anew])
    gone = [key for key in before if key not in noted or key in begun]
    with engine.begin() as connection:
        for keys in _chunks(gone):
            of_them = among(engine.dialect.name, table.c.entity, keys)
            connection.execute(delete(table).where(of_them))
        if anew:
            given = [{"entity": key, "first": first[key], "last": now} for key in anew]
            connection.execute(insert(table), given)
        for keys in _chunks(same):
            of_them = among(engine.dialect.name, table.c.entity, keys)
            connection.execute(update(table).where(of_them).values(last=now))
    return {noted[key]: time for key, time in first.items()}


def _chunks(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))
