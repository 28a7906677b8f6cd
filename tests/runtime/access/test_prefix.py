"""The layer that takes the path prefix off, alone: no server."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runtime.access.credentials import Sessions
from runtime.access.pages import local_target
from runtime.access.prefix import BelowPath
from runtime.errors import UserError
from runtime.server.command import check_access
from runtime.settings import load
from runtime.tokens.store import Role

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send


async def _never(*_given: Any) -> Any:
    raise AssertionError("nothing is read")


def _asked(prefix: str, raw: str, **more: Any) -> "tuple[list[Scope], list[Message]]":
    """What the application sees of a request for the raw path, and what the layer answers."""
    from urllib.parse import unquote

    seen: list[Scope] = []
    said: list[Message] = []

    async def app(scope: "Scope", _receive: "Receive", _send: "Send") -> None:
        seen.append(scope)

    async def send(message: "Message") -> None:
        said.append(message)

    scope = {
        **{"type": "http", "method": "GET", "scheme": "https", "query_string": b""},
        **{"path": unquote(raw), "raw_path": raw.encode(), "headers": [(b"host", b"example.com")]},
    }
    asyncio.run(BelowPath(app, prefix)({**scope, **more}, _never, send))
    assert bool(seen) != bool(said), "one of the two answers"
    return seen, said


@pytest.mark.parametrize("prefix", ["/mlflow", "/team/ml.flow", "/api"])
@pytest.mark.parametrize("path", ["/", "/health", "/api/2.0/x", "/a%2Fb", "//x", "/mlflow/mlflow"])
def test_what_is_below_the_path_is_seen_as_at_the_root(prefix: str, path: str) -> None:
    [seen], _ = _asked(prefix, prefix + path)
    assert seen["raw_path"] == path.encode()
    assert seen["path"] == path.replace("%2F", "/")
    # Nor do Starlette's routers take off anything once more.
    assert not seen.get("root_path")


@pytest.mark.parametrize(
    "raw",
    [
        *("/", "/health", "/api/2.0/x", "/mlflowx/health", "/mlflo/w", "//mlflow/health"),
        *("/x/../mlflow/health", "/%6Dlflow/health", "/mlflow%2Fhealth", "/MLFLOW/health", ""),
    ],
)
def test_nothing_is_beside_the_path(raw: str) -> None:
    _, said = _asked("/mlflow", raw)
    assert said[0]["status"] == 404
    assert b"the server is below /mlflow/" in said[1]["body"]
    _, said = _asked("/mlflow", raw, type="websocket")
    assert said == [{"type": "websocket.close", "code": 1008}]


def test_the_path_alone_leads_to_the_page() -> None:
    for method in ("GET", "HEAD"):
        _, said = _asked("/mlflow", "/mlflow", method=method, query_string=b"a=b")
        assert said[0]["status"] == 307
        assert (b"location", b"/mlflow/?a=b") in said[0]["headers"]
    _, said = _asked("/mlflow", "/mlflow", method="POST")
    assert said[0]["status"] == 404


def test_mlflow_s_assistant_calls_the_server_below_the_path() -> None:
    from mlflow.server.asgi_utils import get_server_base_url
    from starlette.requests import Request

    [seen], _ = _asked("/mlflow", "/mlflow/ajax-api/x")
    assert get_server_base_url(Request(seen)) == "https://example.com/mlflow"


def test_cookies_and_sign_in_stay_below_the_path() -> None:
    for prefix, path in (("/mlflow", "/mlflow"), ("", "/")):
        sessions = Sessions("secret", prefix)
        for cookie in (sessions.issue_person("ada", Role.READ, secure=True), sessions.end):
            assert f"; Path={path};" in cookie
    for elsewhere in ("/", "/other/", "/mlflowx/", "/mlflow", "//mlflow/", "https://x/mlflow/"):
        assert local_target(elsewhere, "/mlflow") == "/mlflow/"
    assert local_target("/mlflow/#/experiments", "/mlflow") == "/mlflow/#/experiments"


def test_an_address_for_users_without_the_path_is_refused(tmp_path: Path) -> None:
    given = {"MLFLOW_STATIC_PREFIX": "/mlflow", "TRACKSTACK_DATA_DIR": str(tmp_path)}
    host = "https://example.com"
    for wrong in (host, f"{host}/", f"{host}/other", f"{host}/a/mlflow"):
        with pytest.raises(UserError, match=f"set it to {host}/mlflow"):
            check_access(load({**given, "TRACKSTACK_PUBLIC_URL": wrong}))
    for right in (f"{host}/mlflow", f"{host}/mlflow/"):
        check_access(load({**given, "TRACKSTACK_PUBLIC_URL": right}))
    check_access(load(given))


@pytest.mark.parametrize("path", ["/mlflow", "/a/b.c/.d_e~f-1", "/" + "x" * 63])
def test_a_path_is_taken(path: str) -> None:
    settings = load({"MLFLOW_STATIC_PREFIX": path})
    assert settings.path_prefix == path
    assert settings.tracking_uri == settings.public_url == f"http://127.0.0.1:5000{path}"


@pytest.mark.parametrize(
    "path",
    [
        *("mlflow", "/", "//", "/mlflow/", "//mlflow", "/a//b", "/../a", "/a/..", "/a..b", "/./a"),
        *(
            "/a/.",
            "/a b",
            "/ä",
            "/a%20",
            "/a?b",
            "/a#b",
            "/{a}",
            "/a\n",
            "/" + "x" * 64,
            "http://a",
        ),
    ],
)
def test_another_path_is_refused_in_one_line(path: str) -> None:
    with pytest.raises(UserError, match=r"^MLFLOW_STATIC_PREFIX: must be a path .*at most 64"):
        load({"MLFLOW_STATIC_PREFIX": path})
