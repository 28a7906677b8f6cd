"""The last changes that somebody answers for: tokens, people, models, and what was deleted.

Kept in the store, so that every replica tells the same. All else that changes something, such as
each metric of a run, is in the audit log alone, which has these too.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from sqlalchemy import Column, DateTime, Engine, Integer, MetaData, String, Table, select
from sqlalchemy import insert as inserted
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.callers import Callers
from runtime.access.exchange import Exchange
from runtime.access.people import openapi
from runtime.access.people.api import JSON
from runtime.access.responses import answer
from runtime.access.rules.roles import plain, required_role
from runtime.database.own_tables import rows_of
from runtime.tokens.listing import time
from runtime.tokens.store import Role, utc_now

API = openapi.CHANGES
MOST = 500
# Older ones are deleted once so many came.
_EVERY = 50
# So many wait to be written at most: what comes faster is in the audit log alone.
_WAITING = 100
_OWN = ("/trackstack/account/", "/trackstack/api/", "/trackstack/backups", "/trackstack/login")
_MODELS = ("/api/2.0/mlflow/registered-models/", "/api/2.0/mlflow/model-versions/")
_DELETIONS = ("delete", "restore")

# No part of a backup: what was done elsewhere says nothing here.
_TABLES = MetaData()
_CHANGES = Table(
    "trackstack_changes",
    _TABLES,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime, nullable=False),
    Column("who", String(255)),
    Column("role", String(8)),
    Column("method", String(32), nullable=False),
    Column("path", String(512), nullable=False),
    Column("status", Integer, nullable=False),
    Column("client", String(64)),
)
_SHOWN = ("who", "role", "method", "path", "status", "client")


def is_change(exchange: Exchange) -> bool:
    """Whether a request that was answered belongs among them. Pure."""
    done = 200 <= exchange.status < 400 and exchange.caller is not None
    if not done or exchange.method in ("GET", "HEAD", "OPTIONS"):
        return False
    path = plain(exchange.path)
    if path.startswith(_OWN):
        # Whose own tokens they are decides there, not a route's role.
        return True
    return not exchange.reads and (
        path.startswith(_MODELS)
        or path.rpartition("/")[2] in _DELETIONS
        or required_role(exchange.method, path) is Role.ADMIN
    )


class Changes:
    """The table; writing waits for nothing, and a database that takes nothing is no error."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine, self._waiting = engine, set[asyncio.Future[None]]()

    def observe(self, exchange: Exchange) -> None:
        """Note a request beside its answer, where it belongs here. For an event loop."""
        if is_change(exchange) and len(self._waiting) < _WAITING:
            loop = asyncio.get_running_loop()
            writing = loop.run_in_executor(None, self.write, exchange.entry())
            self._waiting.add(writing)
            writing.add_done_callback(self._waiting.discard)

    def write(self, entry: dict[str, Any]) -> None:
        """Add one, as the audit log has it, and delete those that are too many."""
        engine, row = self._engine(), {name: entry[name] for name in _SHOWN}
        row |= {"at": utc_now(), "who": str(row["who"])[:255], "client": row["client"][:64]}
        try:
            _TABLES.create_all(engine)
            with engine.begin() as connection:
                made = connection.execute(inserted(_CHANGES).values(row)).inserted_primary_key
                number = int(made[0]) if made else 0
                if number % _EVERY == 0:
                    old = _CHANGES.c.id <= number - MOST
                    connection.execute(_CHANGES.delete().where(old))
        except SQLAlchemyError:
            return

    def list(self) -> list[dict[str, Any]]:
        """The last ones, the newest first; times in UTC."""
        wanted = select(_CHANGES).order_by(_CHANGES.c.id.desc()).limit(MOST)
        rows = rows_of(self._engine(), _CHANGES, wanted)
        return [
            {"time": time(row.at)} | {name: getattr(row, name) for name in _SHOWN} for row in rows
        ]


def api(callers: Callers) -> ASGIApp:
    """For admins: the changes as JSON."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        found = await asyncio.to_thread(Changes(lambda: callers.engine).list)
        await answer(send, 200, JSON, json.dumps({"changes": found}).encode())

    return app


def part(found: Sequence[dict[str, Any]]) -> str:
    """The status page's part, as HTML. Pure."""
    if not found:
        return "<h2>Changes</h2>\n<p>None yet.</p>\n"
    cells = ("time", "who", "method", "path", "client")
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(one[cell] or ''))}" for cell in cells) + "</tr>\n"
        for one in found
    )
    return (
        f"<h2>Changes</h2>\n<details><summary>The last {len(found)}</summary>\n"
        '<div class="table"><table>\n<tr><th>Time<th>Who<th>Method<th>What<th>From</tr>\n'
        f"{rows}</table></div></details>\n"
    )
