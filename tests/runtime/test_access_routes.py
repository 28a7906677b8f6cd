"""Every route of the real application, asked for with every method.

The routes are read from the application itself, so that one which a newer MLflow adds is covered
without a change here.
"""

import http.client
import re
import socket
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest

from runtime.access.roles import required_role
from runtime.tokens import Role
from tests.runtime.serving import REFUSED, Serving

pytestmark = pytest.mark.slow

_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


def _fill(path: str) -> str:
    path = re.sub(r"<[^>]+>", "1", path)
    return re.sub(r"\{[^}]+\}", "1", path)


def _native_paths(routes: list[Any]) -> Iterator[str]:
    for route in routes:
        if hasattr(route, "effective_route_contexts"):
            yield from (str(context.path) for context in route.effective_route_contexts())
        elif hasattr(route, "path"):
            yield str(route.path)


@pytest.fixture(scope="module")
def paths() -> list[str]:
    from mlflow.server import app as flask_app
    from mlflow.server.fastapi_app import app

    flask = {str(rule.rule) for rule in flask_app.url_map.iter_rules()}
    native = set(_native_paths(list(app.routes)))
    assert len(flask) > 200, "MLflow's Flask routes were not found"
    assert len(native) > 50, "MLflow's FastAPI routes were not found"
    extra = {"/", "/no/such/route", "/static-files/x.js", "/metrics", "/version", "/gateway/x"}
    return sorted({_fill(path) for path in flask | native | extra} - {"/health"})


def _statuses(
    server: Serving, requests: Iterable[tuple[str, str]], token: str | None
) -> Iterator[tuple[str, str, int]]:
    connection = http.client.HTTPConnection(str(urlsplit(server.uri).netloc), timeout=30)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        for method, path in requests:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            yield method, path, answer.status
    finally:
        connection.close()


def test_no_route_answers_without_a_token(server: Serving, paths: list[str]) -> None:
    for token in (None, "wrong", server.token[:-1], server.token + "x"):
        chosen = product(_METHODS, paths if token is None else paths[::20])
        refused = REFUSED if token else (401,)
        opened = [found for found in _statuses(server, chosen, token) if found[2] not in refused]
        assert opened == []


def test_a_reader_gets_no_further_than_reading(server: Serving, paths: list[str]) -> None:
    reader = server.run("token", "add", "reader", "--role", "read").stdout.strip()
    assert reader
    server.wait_until(reader, 200)
    every = product(_METHODS, paths)
    forbidden = [pair for pair in every if required_role(*pair) > Role.READ]
    assert len(forbidden) > 1000
    opened = [found for found in _statuses(server, forbidden, reader) if found[2] != 403]
    assert opened == []


@pytest.mark.parametrize(
    "path",
    [
        "//health",
        "/health/",
        "/HEALTH",
        "/health.",
        "/./health",
        "/x/../health",
        "/%68ealth",
        "/health%20",
        "/health%00",
        "/health;x",
        "/api/2.0/mlflow/experiments/../../../../health",
        "/health/../api/2.0/mlflow/experiments/search?max_results=1",
        "/health%2f..%2fversion",
        "/%2e%2e/version",
        "/static-files/../version",
        "http://127.0.0.1/health/../version",
    ],
)
def test_no_other_spelling_of_the_open_route_is_open(server: Serving, path: str) -> None:
    assert _raw(server, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n") in (
        [401],
        [400],
    )


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-Path",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Forwarded-Prefix",
        "X-HTTP-Method-Override",
    ],
)
def test_no_header_changes_what_is_asked_for(server: Serving, name: str) -> None:
    answer = server.request("GET", "/version", headers={name: "/health"})
    assert answer.status == 401


def _raw(server: Serving, text: str) -> list[int]:
    """Send bytes as they are; the statuses of all answers."""
    address = urlsplit(server.uri)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 10) as link:
        link.sendall(text.encode("latin-1"))
        link.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := link.recv(65536):
            received += chunk
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", received)]


_HOST = "Host: 127.0.0.1\r\n"
_SECRET = "/api/2.0/mlflow/experiments/search?max_results=1"


@pytest.mark.parametrize(
    "text",
    [
        # A second request behind an open one in the same packet.
        f"GET /health HTTP/1.1\r\n{_HOST}\r\nGET {_SECRET} HTTP/1.1\r\n{_HOST}\r\n",
        # A body that looks like a request, with a length that leaves it out or takes it in.
        f"GET /health HTTP/1.1\r\n{_HOST}Content-Length: 0\r\n\r\n"
        f"GET {_SECRET} HTTP/1.1\r\n{_HOST}\r\n",
        f"GET /health HTTP/1.1\r\n{_HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        f"0\r\n\r\nGET {_SECRET} HTTP/1.1\r\n{_HOST}\r\n",
        f"GET /health HTTP/1.1\r\n{_HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n"
        f"0\r\n\r\nGET {_SECRET} HTTP/1.1\r\n{_HOST}\r\n",
        f"GET /health HTTP/1.1\r\n{_HOST}Transfer-Encoding : chunked\r\n\r\n"
        f"0\r\n\r\nGET {_SECRET} HTTP/1.1\r\n{_HOST}\r\n",
        f"GET /health HTTP/1.1\r\n{_HOST}Content-Length: 0\r\nContent-Length: 30\r\n\r\n"
        f"GET {_SECRET} HTTP/1.1\r\n{_HOST}\r\n",
    ],
)
def test_no_request_is_smuggled_behind_an_open_one(server: Serving, text: str) -> None:
    statuses = _raw(server, text)
    assert statuses.count(200) <= 1, "only the liveness route itself may answer"
    assert set(statuses) <= {200, 400, 401}


def test_two_authorization_headers_are_none(server: Serving) -> None:
    text = (
        f"GET {_SECRET} HTTP/1.1\r\n{_HOST}Authorization: Bearer x\r\n"
        f"Authorization: Bearer {server.token}\r\nConnection: close\r\n\r\n"
    )
    assert _raw(server, text) == [401]


def test_a_websocket_is_refused_without_a_token(server: Serving) -> None:
    text = (
        f"GET /socket HTTP/1.1\r\n{_HOST}Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert set(_raw(server, text)) <= {401, 403}


def test_with_the_token_the_application_answers_as_ever(server: Serving) -> None:
    for path in ("/", "/version", "/ajax-api/3.0/mlflow/server-info", _SECRET):
        assert server.request("GET", path, server.token).status == 200, path
    query = b'{"query": "query { test(inputString: \\"x\\") { output } }"}'
    json_type = {"content-type": "application/json"}
    answer = server.request("POST", "/graphql", server.token, headers=json_type, body=query)
    assert answer.status == 200
    otlp = {"content-type": "application/x-protobuf", "x-mlflow-experiment-id": "0"}
    answer = server.request("POST", "/v1/traces", server.token, headers=otlp, body=b"")
    assert answer.status not in (401, 403)
