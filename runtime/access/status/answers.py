"""The status' routes: for `trackstack status` as JSON, and for people as a page.

What it takes comes from the store, so that every replica tells the same, but for disk and
certificate, which are this one's.
"""

import asyncio
import json
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Receive, Scope, Send

from runtime.access.callers import Callers
from runtime.access.exchange import exchange_of
from runtime.access.people import openapi
from runtime.access.people.api import JSON
from runtime.access.people.asking import Asking
from runtime.access.responses import answer, answer_error, answer_page
from runtime.access.status import changes, page
from runtime.access.status.certificate import Certificate
from runtime.access.status.facts import Disk, Seen, Store, facts
from runtime.database.state import revisions
from runtime.jobs import growth
from runtime.jobs.runs import JobRuns
from runtime.paths import local_directory
from runtime.settings import RuntimeSettings
from runtime.tokens.listing import ending, told

PAGE, API = "/trackstack/", openapi.STATUS


class Status:
    """One worker's."""

    def __init__(self, callers: Callers, settings: RuntimeSettings) -> None:
        self._callers, self._settings = callers, settings
        self._certificate = Certificate(settings)

    async def api(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """The facts as JSON."""
        found = await asyncio.to_thread(self._facts, Asking.of(scope))
        await answer(send, 200, JSON, json.dumps(found).encode())

    async def page(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """The facts as a page, at /trackstack and /trackstack/."""
        if exchange_of(scope).path.rstrip("/") != PAGE.rstrip("/"):
            await answer_error(send, 404, "ENDPOINT_NOT_FOUND", "nothing is here")
            return
        content = await asyncio.to_thread(self._page, Asking.of(scope))
        await answer_page(send, 200, content)

    def _page(self, asking: Asking) -> bytes:
        found, more = self._facts(asking), ""
        # Without its database there are no changes to be seen.
        if asking.is_admin and found["database"]:
            more = changes.part(changes.Changes(lambda: self._callers.engine).list())
        return page.page(self._settings.path_prefix, found, more)

    def _facts(self, asking: Asking) -> dict[str, Any]:
        """Asks the database, so not for an event loop."""
        now = datetime.now(timezone.utc)
        try:
            store = self._store(asking, now)
        except SQLAlchemyError as error:
            # Its own words name its address and user.
            store = type(error).__name__
        return facts(
            Seen(
                now,
                self._settings.stack,
                store,
                disks_of(self._settings),
                self._certificate.ends(),
                shows_shared=asking.is_admin,
            )
        )

    def _store(self, asking: Asking, now: datetime) -> Store:
        engine = self._callers.engine
        has, should = revisions(engine)
        with engine.connect() as connection:
            size = growth.size(connection)
        shared, key = self._callers.tokens.shared(), asking.owner.key
        own = [t for t in self._callers.own.list(shared) if t.owner and t.owner.key == key]
        return Store(
            has,
            should,
            JobRuns(engine).list(),
            growth.Growth(engine).list(),
            engine.dialect.name,
            size,
            ending(told([*shared, *own], {}, {}), now),
        )


def disks_of(settings: RuntimeSettings) -> list[Disk]:
    """This server's disks with data on them; those that are elsewhere are others' to watch."""
    destinations = {"artifacts": settings.artifacts_destination}
    if settings.backup_destination:
        destinations["backups"] = settings.backup_destination
    places = {"data": settings.data_dir}
    places |= {name: path for name, uri in destinations.items() if (path := local_directory(uri))}
    held = dict[int, tuple[Path, list[str]]]()
    for name, path in places.items():
        try:
            held.setdefault(path.stat().st_dev, (path, []))[1].append(name)
        except OSError:
            # Not there yet, or nothing of this server's.
            continue
    found = list[Disk]()
    for path, names in held.values():
        usage = shutil.disk_usage(path)
        found.append(Disk(tuple(names), usage.free, usage.total))
    return found


def routes(callers: Callers, settings: RuntimeSettings) -> tuple[ASGIApp, ASGIApp]:
    """The API's and the page's."""
    status = Status(callers, settings)
    return status.api, status.page
