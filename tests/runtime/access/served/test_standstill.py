"""Requests to a server whose store another migrates: none is served, and each may come again."""

import asyncio
import fcntl
from pathlib import Path
from threading import Timer

import pytest
from starlette.types import Message, Receive, Scope, Send

from runtime.access.served.standstill import Standstill
from runtime.database.engine import open_engine
from runtime.database.lock import MIGRATION, is_held, only_one
from tests.runtime.filled import settings_of
from tests.runtime.serving import serving


async def _ask(layer: Standstill, kind: str = "http") -> list[Message]:
    sent = list[Message]()

    async def receive() -> Message:
        return {"type": f"{kind}.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await layer({"type": kind}, receive, send)
    return sent


async def _served(scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


def test_it_is_asked_once_in_a_while_and_answers_as_it_was_told() -> None:
    told, asked = [False, True, False], list[bool]()

    def is_migrating() -> bool:
        asked.append(told[len(asked)])
        return asked[-1]

    def statuses(seconds: float, number: int) -> list[int]:
        layer = Standstill(_served, is_migrating, seconds)
        return [asyncio.run(_ask(layer))[0]["status"] for _ in range(number)]

    assert statuses(0, 3) == [200, 503, 200]
    asked.clear()
    assert statuses(60, 3) == [200, 200, 200]
    assert asked == [False]


def test_whoever_is_refused_is_told_when_to_come_again() -> None:
    layer = Standstill(_served, lambda: True, 60)
    start, body = asyncio.run(_ask(layer))
    assert (b"retry-after", b"30") in start["headers"]
    assert b"being migrated" in body["body"]
    assert asyncio.run(_ask(layer, "websocket"))[0]["type"] == "websocket.close"


def test_a_database_that_cannot_be_asked_stops_nobody() -> None:
    def fails() -> bool:
        raise OSError

    assert asyncio.run(_ask(Standstill(_served, fails, 0)))[0]["status"] == 200


def test_a_lock_is_seen_while_it_is_held(tmp_path: Path) -> None:
    engine = open_engine(settings_of(tmp_path))
    assert not is_held(engine, MIGRATION)
    with only_one(engine, MIGRATION):
        assert is_held(engine, MIGRATION)
        assert not is_held(engine, "upgrade")
    assert not is_held(engine, MIGRATION)


def test_a_server_s_look_at_a_lock_makes_nobody_fail_who_takes_it(tmp_path: Path) -> None:
    engine = open_engine(settings_of(tmp_path))
    with only_one(engine, MIGRATION):
        pass
    with Path(f"{engine.url.database}.{MIGRATION}.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        Timer(0.05, lambda: fcntl.flock(file, fcntl.LOCK_UN)).start()
        with only_one(engine, MIGRATION):
            pass


@pytest.mark.slow
def test_a_server_that_is_up_stands_still_while_its_store_is_migrated(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        path = "/api/2.0/mlflow/experiments/search"
        engine = open_engine(settings_of(tmp_path / "data"))
        with only_one(engine, MIGRATION):
            server.wait_until(server.token, 503)
            refused = server.request("POST", path, server.token, body=b"{}")
            assert refused.status == 503
            # A platform does not kill it meanwhile.
            assert server.request("GET", "/health").status == 200
        server.wait_until(server.token, 200)
