"""The objects of a rehearsed cloud, kept between processes."""

import json
import os
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from infra.rehearsal.provider.values import Props

_TABLE = """
create table if not exists objects (
    key text primary key, id text not null, token text not null,
    props text not null, visible_at real not null, made integer not null
)"""


@dataclass(frozen=True)
class Record:
    """One object of the cloud: what its maker asked for and what the cloud added."""

    id: str
    token: str
    props: Props
    visible_at: float


class Store:
    """Objects by id in one SQLite file. Ids are compared as Azure does, without regard to case."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Secrets of the stack are in it, as they would be in the cloud.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._lock = threading.RLock()
        self._rows = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._rows.execute("pragma journal_mode = wal")
        self._rows.execute(_TABLE)

    def put(self, id: str, token: str, props: Props, *, visible_at: float = 0) -> None:
        """Add or replace an object; it answers look-ups from ``visible_at`` (Unix time) on."""
        with self._lock:
            self._rows.execute(
                "insert into objects values (?, ?, ?, ?, ?, (select count(*) from objects))"
                " on conflict (key) do update set props = excluded.props",
                (id.lower(), id, token, json.dumps(props), visible_at),
            )

    def get(self, id: str, *, hidden: bool = False) -> Record | None:
        """The object with this id. ``hidden``: also one that is too new to be seen."""
        found = self._select("where key = ?", id.lower())
        if found and (hidden or found[0].visible_at <= time.time()):
            return found[0]
        return None

    def find(self, token: str, **equal: Any) -> list[Record]:
        """Objects of one type whose properties have these values, oldest first."""
        found = self._select("where token = ? order by made", token)
        return [
            record
            for record in found
            if all(record.props.get(name) == value for name, value in equal.items())
        ]

    def all(self) -> list[Record]:
        return self._select("order by made")

    def delete(self, id: str) -> bool:
        """Forget an object; false if there was none."""
        with self._lock:
            return bool(
                self._rows.execute("delete from objects where key = ?", (id.lower(),)).rowcount
            )

    def close(self) -> None:
        self._rows.close()

    def _select(self, where: str, *parameters: str) -> list[Record]:
        with self._lock:
            rows = self._rows.execute(
                f"select id, token, props, visible_at from objects {where}",  # noqa: S608 - a constant
                parameters,
            ).fetchall()
        return [
            Record(id, token, cast("Props", json.loads(props)), visible_at)
            for id, token, props, visible_at in rows
        ]
