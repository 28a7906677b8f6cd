"""MLflow's page by role."""

from pathlib import Path

import mlflow.server
import pytest
from starlette.types import Receive, Scope, Send

from runtime.access.exchange import exchange_of
from runtime.access.layers.notice import Notice
from runtime.access.layers.page_parts import PageParts
from runtime.tokens.store import Role
from tests.runtime.access.layers.driving import CALLERS, Driven, asked, drive, http

_PAGE = b"<html><head></head><body><div id=root></div></body></html>"


async def _mlflow(scope: Scope, _receive: Receive, send: Send) -> None:
    """Its page in pieces, and a file; 304 for what the browser has."""
    names = {name for name, _ in scope["headers"]}
    status = 304 if b"if-none-match" in names else 200
    kind = b"text/html; charset=utf-8" if scope["path"] == "/" else b"text/plain"
    headers = [(b"content-type", kind), (b"etag", b'"1"'), (b"content-length", b"45")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": _PAGE[:20], "more_body": True})
    await send({"type": "http.response.body", "body": _PAGE[20:]})


_ALL = PageParts("", has_telemetry=True, has_assistant=True)


def _ask(role: Role, path: str = "/", method: str = "GET", parts: PageParts = _ALL) -> Driven:
    scope = asked(http(method, path, ("if-none-match", '"1"')))
    exchange_of(scope).caller = CALLERS[role]
    return drive(Notice(_mlflow, parts), scope)


@pytest.mark.parametrize("role", [Role.READ, Role.WRITE])
def test_who_is_no_administrator_is_told_so_by_the_page(role: Role) -> None:
    answer = _ask(role)
    assert answer.status == 200
    told = f"you have the role {role.name.lower()}".encode()
    assert told in answer.body
    assert answer.body.endswith(b"</script></body></html>")
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


def test_an_administrator_is_told_nothing_and_has_no_page_of_another_s_from_before() -> None:
    answer = _ask(Role.ADMIN)
    assert answer.status == 200
    assert b"<script>" not in answer.body
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_leads_to_status_and_tokens_and_out() -> None:
    page = _ask(Role.ADMIN, parts=PageParts("/team", "<prod>")).body.decode()
    assert "<summary>admin at &lt;prod&gt;</summary>" in page
    assert '<a href="/team/trackstack/">' in page
    assert '<a href="/team/trackstack/account">' in page
    assert '<form method="post" action="/team/trackstack/sign-out">' in page


@pytest.mark.parametrize("telemetry", [False, True])
@pytest.mark.parametrize("assistant", [False, True])
def test_the_page_leaves_out_what_the_server_does_not_have(
    telemetry: bool, assistant: bool
) -> None:
    parts = PageParts("", has_telemetry=telemetry, has_assistant=assistant)
    head = _ask(Role.ADMIN, parts=parts).body.decode().partition("</head>")[0]
    assert ("mlflow.telemetry.info.alert.dismissed_v1" in head) != telemetry
    assert ("mlflow.assistant.panelOpen_v1" in head) != assistant
    assert ("[data-assistant-ui]" in head) != assistant


def test_the_page_of_this_mlflow_keeps_what_is_set_by_those_names() -> None:
    """In its own script, by the names and versions that it has there."""
    folder = Path(mlflow.server.__file__).parent / "js" / "build" / "static" / "js"
    [script] = folder.glob("main.*.js")
    text = script.read_text()
    for name in ("mlflow.assistant.fab.autoOpenedOnFirstLoad", "mlflow.assistant.panelOpen"):
        assert f'key:"{name}",version:1,' in text
    assert 'a="mlflow.telemetry.info.alert.dismissed",s=1' in text
    assert "(e,t)=>`${e}_v${t}`" in text
    assert '"data-assistant-ui":"true"' in text


@pytest.mark.parametrize(("method", "path"), [("GET", "/static-files/x.js"), ("POST", "/")])
def test_nothing_else_is_touched(method: str, path: str) -> None:
    answer = _ask(Role.READ, path, method)
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, _PAGE, '"1"')
