"""Recording alone: each request is told of once, however it ended."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from runtime.access.audit import AuditLog
from runtime.access.exchange import Exchange, exchange_of
from runtime.access.layers.recording import Recording, audited, counted
from runtime.metrics import Metrics
from runtime.settings import load
from runtime.tokens.store import Role
from tests.runtime.access.layers.driving import Inner, asked, drive, http, websocket


def test_an_answered_request_is_told_of_with_its_status() -> None:
    told: list[Exchange] = []
    answer = drive(Recording(Inner(), [told.append]), asked(http("GET", "/version")))
    assert answer.body == b"inner"
    assert [(each.path, each.status) for each in told] == [("/version", 200)]


def test_one_that_failed_is_told_of_and_still_fails() -> None:
    told: list[Exchange] = []
    with pytest.raises(RuntimeError, match="failed"):
        drive(Recording(Inner(fails=True), [told.append]), asked(http("GET", "/version")))
    assert [each.status for each in told] == [0]


def test_a_websocket_is_not() -> None:
    told: list[Exchange] = []
    inner = Inner()
    drive(Recording(inner, [told.append]), asked(websocket("/x")))
    assert (len(inner.scopes), told) == (1, [])


def _entries(log: Path, *scopes: Scope, reads: bool = False) -> list[dict[str, Any]]:
    async def find_caller(scope: Scope, _receive: Receive, send: Send) -> None:
        """What layers further in do: the entry has what they found."""
        exchange_of(scope).turned_away = "eve"
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send({"type": "http.response.body"})

    layer = Recording(find_caller, [audited(AuditLog(log), reads=reads)])
    for scope in scopes:
        drive(layer, scope)
    return [json.loads(line)["audit"] for line in log.read_text().splitlines()]


def test_the_audit_log_says_what_the_layers_found(tmp_path: Path) -> None:
    scope = http("POST", "/a", ("x-request-id", "one"))
    known, unknown = _entries(tmp_path / "log", asked(scope, Role.WRITE), asked(scope))
    assert known.pop("time") <= unknown.pop("time")
    same = {"method": "POST", "path": "/a", "status": 403, "client": "192.0.2.1", "request": "one"}
    assert known == {"who": "write", "role": "write", **same}
    assert unknown == {"who": "eve", "role": None, **same}


def test_reads_are_written_down_where_asked_for_and_the_issuer_s_sign_in_always(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    layer = Recording(Inner(), [audited(AuditLog(log), reads=False)])
    for path in ("/version", "/trackstack/oidc/end"):
        drive(layer, asked(http("GET", path)))
    assert [json.loads(line)["audit"]["path"] for line in log.read_text().splitlines()] == [
        "/trackstack/oidc/end"
    ]
    every = Recording(Inner(), [audited(AuditLog(log), reads=True)])
    drive(every, asked(http("GET", "/version")))
    assert len(log.read_text().splitlines()) == 2


def test_requests_are_counted_by_method_area_and_status(tmp_path: Path) -> None:
    metrics = Metrics(load({"TRACKSTACK_DATA_DIR": str(tmp_path)}))
    layer = Recording(Inner(), [counted(metrics)])
    for method in ("GET", "GET", "BREW"):
        drive(layer, asked(http(method, "/api/2.0/mlflow/runs/get")))
    page = metrics.render().decode()
    for method, number in (("GET", 2), ("other", 1)):
        labels = f'{{area="api",method="{method}",status="200"}}'
        assert f"trackstack_http_requests_total{labels} {number}.0" in page


def test_a_long_path_is_cut(tmp_path: Path) -> None:
    scope = asked(http("B" * 5000, "/" + "\x00" * 60_000), Role.WRITE)
    (entry,) = _entries(tmp_path / "log", scope)
    assert (len(entry["path"]), len(entry["method"])) == (512, 32)
    assert (tmp_path / "log").stat().st_size < 4096


def test_whoever_is_not_known_adds_a_line_a_second(tmp_path: Path) -> None:
    log = tmp_path / "log"

    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": []})

    layer = Recording(refuse, [audited(AuditLog(log), reads=False)])
    other = http("GET", "/", client=("192.0.2.2", 1))
    for scope in [http("GET", "/")] * 500 + [other]:
        drive(layer, asked(scope))
    drive(layer, asked(http("GET", "/"), Role.READ))
    entries = [json.loads(line)["audit"] for line in log.read_text().splitlines()]
    addresses = [(entry["client"], entry["who"]) for entry in entries]
    assert len(addresses) < 10
    assert addresses[0] == ("192.0.2.1", None)
    assert ("192.0.2.2", None) in addresses
    assert ("192.0.2.1", "read") in addresses
