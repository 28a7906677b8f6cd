"""The jobs' last runs in the backend store: so that each replica, and whoever asks, tells the same.

The scheduler writes them by a process of its own: see `notes`.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Column, DateTime, Engine, MetaData, String, Table, Text, delete, select
from sqlalchemy import insert as inserted
from sqlalchemy import update as updated
from sqlalchemy.exc import IntegrityError

from runtime import cron
from runtime.database.own_tables import rows_of
from runtime.jobs.growth import Growth

# How long after it was due a job may begin: others run first, and clocks differ.
GRACE = timedelta(minutes=15)
# A job that has run for longer does not excuse that others do not.
_LONGEST_RUN = timedelta(hours=24)

# No part of a backup: how jobs went elsewhere says nothing here.
_TABLES = MetaData()
_JOBS = Table(
    "trackstack_jobs",
    _TABLES,
    Column("name", String(32), primary_key=True),
    Column("cron", String(128), nullable=False),
    Column("since", DateTime, nullable=False),
    Column("running", DateTime),
    Column("run", Text),
)


@dataclass(frozen=True)
class JobState:
    """A job that is scheduled, and how it is; times in UTC."""

    name: str
    cron: str
    since: datetime
    """Since when this schedule is."""
    running: datetime | None
    """When the run that goes on began."""
    run: Mapping[str, Any] | None
    """The last one that ended, as the scheduler notes it."""

    def due(self, now: datetime) -> datetime:
        """When it should last have begun."""
        return cron.last_time(self.cron, now)

    def next(self, now: datetime) -> datetime:
        """When it is due again."""
        return cron.next_time(self.cron, now)

    @property
    def last(self) -> datetime | None:
        """When it last began."""
        if self.running:
            return self.running
        return _aware(datetime.fromisoformat(self.run["started"])) if self.run else None


def overdue(states: Iterable[JobState], now: datetime) -> list[str]:
    """The jobs that should have begun and have not: nobody runs them, or only after hours. Pure."""
    known = list(states)
    if any(state.running and now - state.running < _LONGEST_RUN for state in known):
        # One at a time: the others wait.
        return []
    return [state.name for state in known if _is_overdue(state, now)]


def _is_overdue(state: JobState, now: datetime) -> bool:
    due = state.due(now - GRACE)
    return due > state.since and (state.last is None or state.last < due - timedelta(minutes=1))


class JobRuns:
    """The table."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self) -> list[JobState]:
        """All scheduled jobs, by name."""
        rows = rows_of(self._engine, _JOBS, select(_JOBS).order_by(_JOBS.c.name))
        return [
            JobState(
                row.name,
                row.cron,
                _aware(row.since),
                _aware(row.running) if row.running else None,
                json.loads(row.run) if row.run else None,
            )
            for row in rows
        ]

    def schedule(self, crons: Mapping[str, str]) -> None:
        """Note what is scheduled, and forget all else; nothing is running."""
        _TABLES.create_all(self._engine)
        with self._engine.begin() as connection:
            connection.execute(delete(_JOBS).where(_JOBS.c.name.not_in(list(crons))))
            connection.execute(updated(_JOBS).values(running=None))
        for name, expression in crons.items():
            self._write(name, expression)

    def begin(self, name: str, expression: str) -> None:
        """Note that a job runs."""
        self._write(name, expression, running=_now())

    def end(self, name: str, expression: str, run: Mapping[str, Any]) -> None:
        """Note how a run went."""
        self._write(name, expression, running=None, run=json.dumps(run))

    def _write(self, name: str, expression: str, **values: object) -> None:
        _TABLES.create_all(self._engine)
        new = {"name": name, "cron": expression, "since": _now(), **values}
        this, is_same = _JOBS.c.name == name, _JOBS.c.cron == expression
        with self._engine.begin() as connection:
            found = connection.execute(select(_JOBS.c.cron).where(this)).first()
            if found:
                # Another schedule begins to count now.
                connection.execute(
                    updated(_JOBS).where(this, ~is_same).values(cron=expression, since=_now())
                )
                if values:
                    connection.execute(updated(_JOBS).where(this).values(values))
                return
        try:
            with self._engine.begin() as connection:
                connection.execute(inserted(_JOBS).values(new))
        except IntegrityError:
            with self._engine.begin() as connection:
                connection.execute(updated(_JOBS).where(this).values(new))


def main(text: str) -> None:
    """Note what the scheduler says: `schedule`; or `job` and `cron`, with `run` once it ended."""
    from runtime import settings
    from runtime.database.engine import open_briefly

    said: dict[str, Any] = json.loads(text)
    engine = open_briefly(settings.load())
    runs = JobRuns(engine)
    if "schedule" in said:
        runs.schedule(said["schedule"])
    elif said.get("run") is None:
        runs.begin(said["job"], said["cron"])
    else:
        runs.end(said["job"], said["cron"], said["run"])
        Growth(engine).note(_now().date())


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


def _aware(when: datetime) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=timezone.utc)


if __name__ == "__main__":
    main(sys.stdin.read())
