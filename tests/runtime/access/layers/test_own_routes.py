"""Routes of our own alone: exactly they are answered, and everything else goes on."""

import pytest
from starlette.types import Receive, Scope, Send

from runtime.access.layers.own_routes import Own, OwnRoutes
from tests.runtime.access.layers.driving import Inner, asked, drive, http, websocket


async def _ours(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ours"})


def _body(scope: Scope) -> bytes:
    routes = [
        Own("/own/form", _ours, ("POST",)),
        Own("/own/page", _ours),
        Own("/own/below/", _ours),
    ]
    return drive(OwnRoutes(Inner(), routes), asked(scope)).body


@pytest.mark.parametrize(
    "scope",
    [
        http("POST", "/own/form"),
        http("GET", "/own/page"),
        http("BREW", "/own/page"),
        http("GET", "/own/below/a/b"),
    ],
)
def test_a_route_of_ours_is_answered(scope: Scope) -> None:
    assert _body(scope) == b"ours"


@pytest.mark.parametrize(
    "scope",
    [
        http("GET", "/own/form"),
        http("HEAD", "/own/form"),
        http("post", "/own/form"),
        http("POST", "/own/form/"),
        http("POST", "//own/form"),
        http("POST", "/own/form\n"),
        http("POST", "/ml/own/form"),
        http("GET", "/own/below"),
        http("GET", "/own/form", root_path="/ml"),
        http("GET", "/x/own/page", root_path="/x"),
    ],
)
def test_everything_else_goes_on_to_the_next_check(scope: Scope) -> None:
    assert _body(scope) == b"inner"


def test_a_websocket_goes_on() -> None:
    assert _body(websocket("/own/page")) == b""
