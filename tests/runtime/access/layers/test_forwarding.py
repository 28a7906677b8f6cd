"""Forwarding alone: what MLflow gets to see."""

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from runtime.access.layers.forwarding import Forwarding
from runtime.access.served import statements
from runtime.tokens.store import Role
from tests.runtime.access.layers.driving import Inner, asked, drive, http, websocket


def _seen(scope: Scope) -> dict[str, Any]:
    inner = Inner()
    drive(Forwarding(inner), asked(scope, Role.READ, is_let_in=True))
    return dict(inner.scopes[0])


def test_what_no_role_let_in_does_not_come_to_mlflow() -> None:
    inner = Inner()
    for scope in (http("GET", "/version"), websocket("/version")):
        for caller in (None, Role.ADMIN):
            with pytest.raises(PermissionError):
                drive(Forwarding(inner), asked(scope, caller))
    assert inner.scopes == []


def test_mlflow_sees_no_credentials_and_nothing_of_ours() -> None:
    headers = [
        ("authorization", "Bearer secret"),
        ("AUTHORIZATION", "Bearer secret"),
        ("cookie", "a=b; trackstack_session_0a1b2c3d=secret; c=d; trackstack_sign_in=x"),
        ("accept", "*/*"),
    ]
    for scope in (http("GET", "/version", *headers), websocket("/version", *headers)):
        seen = _seen(scope)
        assert seen.pop("headers") == [(b"cookie", b"a=b; c=d"), (b"accept", b"*/*")]
        assert seen == {name: value for name, value in scope.items() if name != "headers"}


def test_a_reader_changes_nothing_and_what_reads_has_its_time() -> None:
    seen: list[tuple[bool, float]] = []

    async def mlflow(_scope: Scope, _receive: Receive, _send: Send) -> None:
        bounds = statements.current()
        seen.append((bounds.changes, bounds.seconds))

    for role, reads in ((Role.READ, True), (Role.WRITE, True), (Role.ADMIN, False)):
        scope = asked(http("GET", "/version"), role, is_let_in=True, reads=reads)
        drive(Forwarding(mlflow, seconds=30), scope)
    assert seen == [(False, 30), (True, 30), (True, 0)]
    assert statements.current() == statements.Bounds()
