"""MLflow's page by role."""

import pytest
from starlette.types import Receive, Scope, Send

from runtime.access.exchange import exchange_of
from runtime.access.layers.notice import Notice
from runtime.tokens.store import Role
from tests.runtime.access.layers.driving import CALLERS, Driven, asked, drive, http

_PAGE = b"<html><body><div id=root></div></body></html>"


async def _mlflow(scope: Scope, _receive: Receive, send: Send) -> None:
    """Its page in pieces, and a file; 304 for what the browser has."""
    names = {name for name, _ in scope["headers"]}
    status = 304 if b"if-none-match" in names else 200
    kind = b"text/html; charset=utf-8" if scope["path"] == "/" else b"text/plain"
    headers = [(b"content-type", kind), (b"etag", b'"1"'), (b"content-length", b"45")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": _PAGE[:20], "more_body": True})
    await send({"type": "http.response.body", "body": _PAGE[20:]})


def _ask(role: Role, path: str = "/", method: str = "GET") -> Driven:
    scope = asked(http(method, path, ("if-none-match", '"1"')))
    exchange_of(scope).caller = CALLERS[role]
    return drive(Notice(_mlflow), scope)


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


def test_an_administrator_has_the_page_as_it_is_and_not_another_s_from_before() -> None:
    answer = _ask(Role.ADMIN)
    assert (answer.status, answer.body) == (200, _PAGE)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("method", "path"), [("GET", "/static-files/x.js"), ("POST", "/")])
def test_nothing_else_is_touched(method: str, path: str) -> None:
    answer = _ask(Role.READ, path, method)
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, _PAGE, '"1"')
