"""All layers put together: in which order they refuse, and that nothing gets around them."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Scope

from runtime.access.exchange import KEY, Exchange
from runtime.access.layered import layered
from runtime.database.engine import open_engine
from runtime.database.uri import make_directories
from runtime.settings import load
from runtime.tokens.store import Role, TokenTable
from tests.runtime.access.layers.driving import Driven, Inner, drive, driven, http, websocket
from tests.runtime.access.test_roles import filled, listed

_PREFIX = "/ml"
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_ODD_METHODS = ("TRACE", "CONNECT", "get", "Get", "PROPFIND", "GET ", "")
_SEARCH = "/api/2.0/mlflow/experiments/search"
_CREATE = "/api/2.0/mlflow/experiments/create"
_HTML = ("accept", "text/html")


@dataclass(frozen=True)
class _Site:
    app: ASGIApp
    mlflow: Inner
    tokens: dict[Role, str]
    audit: Path
    prefix: str

    def bearer(self, role: Role) -> tuple[str, str]:
        return "authorization", f"Bearer {self.tokens[role]}"

    def ask(
        self,
        method: str,
        path: str,
        *headers: tuple[str, str],
        body: bytes = b"",
        address: str = "192.0.2.1",
    ) -> Driven:
        scope = http(method, self.prefix + path, *headers, client=(address, 4711))
        return drive(self.app, scope, body)

    def reached(self, scopes: list[Scope]) -> list[tuple[str, str, str]]:
        """Those requests that MLflow got."""
        found: list[tuple[str, str, str]] = []

        async def ask_all() -> None:
            for scope in scopes:
                self.mlflow.scopes.clear()
                await driven(self.app, scope)
                for seen in self.mlflow.scopes:
                    assert seen["root_path"] == "", "MLflow would route by a part of the path"
                    found.append((seen["type"], seen.get("method", ""), seen["path"]))

        asyncio.run(ask_all())
        return found

    def entries(self) -> list[dict[str, Any]]:
        lines = self.audit.read_text().splitlines() if self.audit.exists() else []
        return [json.loads(line)["audit"] for line in lines]


def _made(folder: Path, prefix: str) -> _Site:
    given = {
        "TRACKSTACK_DATA_DIR": str(folder),
        "TRACKSTACK_AUDIT_LOG": str(folder / "audit.jsonl"),
        "TRACKSTACK_MAX_REQUEST_BYTES": "100000",
        "TRACKSTACK_OIDC_ISSUER": "https://login.example.com",
        "TRACKSTACK_OIDC_CLIENT_ID": "x",
        "TRACKSTACK_ALLOWED_GROUPS": "science",
        **({"MLFLOW_STATIC_PREFIX": prefix} if prefix else {}),
    }
    settings = load(given)
    make_directories(settings)
    table = TokenTable(open_engine(settings))
    table.create()
    tokens = {role: table.add(role.name.lower(), role, None) for role in Role}
    mlflow = Inner()
    return _Site(layered(mlflow, settings), mlflow, tokens, folder / "audit.jsonl", prefix)


@pytest.fixture(params=["", _PREFIX])
def site(tmp_path: Path, request: pytest.FixtureRequest) -> _Site:
    return _made(tmp_path, request.param)


def _spellings(path: str) -> Iterator[tuple[str, bytes]]:
    """A path as a server hands it on, decoded and raw, in forms that may lead to one route."""
    for raw in (
        path,
        f"{path}/",
        f"/{path}",
        path.replace("/", "//"),
        f"{path}//",
        quote(path, safe=""),
        path.replace("/", "%2f"),
        path.replace("/mlflow", "%2fmlflow"),
        path.replace("/", "/%2f"),
        f"{path}%2f",
        "".join(f"%{ord(c):02x}" if c.isalpha() else c for c in path),
        f"{_PREFIX}{path}",
        f"{_PREFIX}{_PREFIX}{path}",
        f"{_PREFIX}/{path}",
        f"{_PREFIX.replace('m', '%6d')}{path}",
        f"/health/..{path}",
        f"/health{path}",
        f"/static-files/..{path}",
        f"/trackstack/oidc/..{path}",
        f"/trackstack/sign-in{path}",
        f"{path}/../../../../health",
        f"{path}%00",
        f"{path}%0a",
        f"{path};/health",
        f"http://127.0.0.1{path}",
    ):
        yield unquote(raw), raw.encode()


def _attempts(path: str, *headers: tuple[str, str], methods: tuple[str, ...]) -> Iterator[Scope]:
    for decoded, raw in _spellings(path):
        for method in methods:
            yield http(method, decoded, *headers, raw_path=raw)
            # A root path leaves only a part of the path to route by.
            for root in (_PREFIX, "/health", "/static-files", "/trackstack/sign-in"):
                whole = {"raw_path": root.encode() + raw, "root_path": root}
                yield http(method, root + decoded, *headers, **whole)
        yield websocket(decoded, *headers, raw_path=raw)


def _sample() -> list[str]:
    """Templates of all kinds, filled: every fifth route of MLflow's, and our own."""
    paths = sorted({filled(path) for _, path in listed()})
    own = ["/metrics", "/trackstack/backups", "/trackstack/account", "/trackstack/sign-out"]
    return [*paths[::5], *own, "/trackstack/sign-in", "/trackstack/oidc/begin", "/no/such/route"]


def test_nothing_reaches_mlflow_without_a_token(site: _Site) -> None:
    """But for the one route that tells whether it lives."""
    methods = (*_METHODS, *_ODD_METHODS)
    attempts = [scope for path in _sample()[::4] for scope in _attempts(path, methods=methods)]
    assert len(attempts) > 10_000
    assert site.reached(attempts) == []
    alive = list(_attempts("/health", methods=("GET", "HEAD", "POST", "OPTIONS", "get")))
    opened = {("http", "GET", "/health"), ("http", "HEAD", "/health")}
    assert set(site.reached(alive)) == opened


def test_no_role_reaches_more_in_another_spelling(site: _Site) -> None:
    """Routes that are administrators' by every method, as somebody who may read."""
    reader, roles = site.bearer(Role.READ), listed()
    others = {path for (_, path), role in roles.items() if role is not Role.ADMIN}
    beyond = sorted({filled(path) for _, path in roles if path not in others})[::4]
    # OPTIONS tells everybody which methods there are.
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "post")
    attempts = [scope for path in beyond for scope in _attempts(path, reader, methods=methods)]
    assert len(attempts) > 10_000
    # A reader may ask for any file of the web page, but for that alone.
    reached = [(method, path) for _, method, path in site.reached(attempts)]
    assert [found for found in reached if not found[1].startswith("/static-files/")] == []
    assert {method for method, _ in reached} == {"GET", "HEAD"}


def test_what_is_let_in_is_what_was_asked_for(site: _Site) -> None:
    attempts = [http("GET", site.prefix + _SEARCH, site.bearer(Role.READ))]
    assert len(site.reached(attempts)) == 1
    [seen] = site.mlflow.scopes
    assert (seen["path"], seen["root_path"]) == (_SEARCH, "")
    assert seen["headers"] == []
    assert {KEY, "router"} & seen.keys() == set()


def test_below_another_application_it_is_closed_too(site: _Site) -> None:
    """Mounted, the paths have another beginning than the table's, and are administrators'."""
    outer = Starlette(routes=[Mount(mount, site.app) for mount in ("/static-files", "/health")])
    for token in ([], [site.bearer(Role.READ)], [site.bearer(Role.WRITE)]):
        for path in ("/api/3.0/jobs/1", "/api/3.0/mlflow/gateway/secrets/list", "/health", ""):
            for mount in ("/health", "/static-files"):
                drive(outer, websocket(f"{mount}{path}", *token))
                drive(outer, http("POST", f"{mount}{path}", *token))
    assert site.mlflow.scopes == []


def test_nobody_outside_says_who_asks(site: _Site) -> None:
    """What lies in the scope before the entrance counts for nothing."""
    forged = Exchange.of(http("GET", "/"))
    forged.is_let_in = True
    for scope in (http("GET", site.prefix + _SEARCH), websocket(site.prefix + _SEARCH)):
        drive(site.app, {**scope, KEY: forged, "state": {"signed_in": "boss"}})
    assert site.mlflow.scopes == []


def test_another_kind_of_connection_is_refused(site: _Site) -> None:
    with pytest.raises(ValueError, match="webtransport"):
        drive(site.app, {**http("GET", "/health"), "type": "webtransport"})
    assert site.mlflow.scopes == []


def test_refusals_come_in_order(site: _Site) -> None:
    """Size, then who asks, then from where, then what for, then the body."""
    large = ("content-length", "100001")
    form = urlencode({"token": site.tokens[Role.WRITE]}).encode()
    same = ("sec-fetch-site", "same-origin")
    signed_in = site.ask("POST", "/trackstack/sign-in", same, body=form)
    cookie = ("cookie", signed_in.headers["set-cookie"].split(";")[0])
    elsewhere = b'{"name": "x", "artifact_location": "file:///etc"}'
    secrets = "/api/3.0/mlflow/gateway/secrets/list"
    assert signed_in.status == 303
    assert site.ask("POST", "/trackstack/sign-in", body=form).status == 403
    assert site.ask("POST", _CREATE, large).status == 413
    assert site.ask("POST", _CREATE).status == 401
    assert site.ask("POST", "/trackstack/sign-out").status == 401
    assert site.ask("GET", "/trackstack/sign-in", _HTML).status == 401
    assert site.ask("POST", _CREATE, cookie).status == 403
    assert site.ask("POST", secrets, cookie, same).status == 404
    assert site.ask("GET", secrets, cookie, same).status == 403
    assert site.ask("POST", "/trackstack/backups", cookie, same).status == 403
    assert site.ask("DELETE", "/trackstack/account", cookie, same).status == 404
    assert site.ask("POST", _CREATE, cookie, same, body=elsewhere).status == 403
    assert site.mlflow.scopes == []
    assert site.ask("POST", _CREATE, cookie, same, body=b'{"name": "x"}').status == 200
    assert site.ask("GET", "/trackstack/account", cookie, same).status == 200
    assert site.ask("POST", "/trackstack/sign-out", cookie, same).status == 303
    assert site.ask("GET", "/metrics", site.bearer(Role.READ)).status == 200
    assert len(site.mlflow.scopes) == 1


def test_every_refusal_is_recorded_and_has_the_headers(site: _Site) -> None:
    reader, identified = site.bearer(Role.READ), ("x-request-id", "one")
    answers = [
        # From addresses of their own: nobody unknown gets more than a line a second.
        site.ask("POST", _CREATE, ("content-length", "100001"), identified, address="192.0.2.2"),
        site.ask("POST", _CREATE, identified, address="192.0.2.3"),
        site.ask("POST", _CREATE, reader, identified),
        site.ask("GET", "/no/such", reader, identified),
        site.ask("GET", "/trackstack/oidc/nothing", identified),
    ]
    assert [answer.status for answer in answers] == [413, 401, 403, 404, 404]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-request-id"] == "one"
    noted = [(entry["path"], entry["status"], entry["who"]) for entry in site.entries()]
    assert noted == [
        (_CREATE, 413, None),
        (_CREATE, 401, None),
        (_CREATE, 403, "read"),
        ("/trackstack/oidc/nothing", 404, None),
    ]
    page = site.ask("GET", "/metrics", reader).body.decode()
    for status in (413, 401, 403):
        labels = f'{{area="api",method="POST",status="{status}"}}'
        assert f"trackstack_http_requests_total{labels} 1.0" in page
