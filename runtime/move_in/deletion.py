"""What had been deleted on the old server counts as deleted on the day that it arrives.

A plain MLflow purges nothing by itself: what somebody deleted a year ago can be restored there. By
its old date gc would purge it here within minutes.
"""

from sqlalchemy import Engine, update

from runtime.backup.format import rows
from runtime.gc.decide import DELETED, EXPERIMENTS, LOGGED_MODELS, RUNS


def begin_anew(engine: Engine, now: int) -> int:
    """Have all that was deleted be so since ``now`` (ms since 1970); returns how much that is.

    ``engine`` is a SQLite copy's.
    """
    changed = 0
    with engine.begin() as connection:
        tables = rows.reflect(connection).tables
        for kind in (RUNS, LOGGED_MODELS, EXPERIMENTS):
            table = tables.get(kind.table)
            if table is None:
                # An older MLflow has no logged models.
                continue
            was_deleted = table.c.lifecycle_stage == DELETED
            since = update(table).where(was_deleted).values({kind.deleted_at: now})
            changed += connection.execute(since).rowcount
    return changed
