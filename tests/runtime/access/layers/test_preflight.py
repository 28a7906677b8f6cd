"""Preflights alone: which origins are answered, and that nobody else is let in by it."""

import pytest

from runtime.access.layers.preflight import Preflight
from tests.runtime.access.layers.driving import Driven, Inner, asked, drive, http, websocket

_PATH = "/api/2.0/mlflow/runs/search"
_ASKS = ("access-control-request-method", "POST")
_OURS = ("origin", "https://app.example.com")


def _ask(inner: Inner, method: str, *headers: tuple[str, str], origins: str = "") -> Driven:
    allowed = [origins or "https://app.example.com/"]
    return drive(Preflight(inner, allowed), asked(http(method, _PATH, *headers)))


def test_an_origin_that_the_stack_allows_is_answered() -> None:
    inner = Inner()
    wanted = ("access-control-request-headers", "authorization, content-type")
    answer = _ask(inner, "OPTIONS", _OURS, _ASKS, wanted)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type"
    assert "access-control-allow-credentials" not in answer.headers
    assert _ask(inner, "OPTIONS", ("origin", "null"), _ASKS, origins="*").status == 204
    assert inner.scopes == []


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("OPTIONS", [("origin", "https://evil.example"), _ASKS]),
        ("OPTIONS", [("origin", "https://app.example.com.evil.example"), _ASKS]),
        ("OPTIONS", [("origin", "http://localhost:9999"), _ASKS]),
        ("OPTIONS", [_OURS, _OURS, _ASKS]),
        ("OPTIONS", [_OURS]),
        ("OPTIONS", [_ASKS]),
        ("POST", [_OURS, _ASKS]),
        ("GET", []),
    ],
)
def test_anything_else_goes_on_to_the_check(method: str, headers: list[tuple[str, str]]) -> None:
    inner = Inner()
    assert "access-control-allow-origin" not in _ask(inner, method, *headers).headers
    assert len(inner.scopes) == 1


def test_a_websocket_is_none() -> None:
    inner = Inner()
    drive(Preflight(inner, ["*"]), asked(websocket("/x", _OURS, _ASKS)))
    assert len(inner.scopes) == 1
