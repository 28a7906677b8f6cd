"""Every route of the real application, asked for with every method.

The routes are read from the application itself, so that one which a newer MLflow adds is covered
without a change here; what each of them needs stands in routes.txt, which a person wrote.
"""

import http.client
import json
import re
import socket
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest

from runtime.tokens.store import Role
from tests.mlflow_versions import OLDER
from tests.runtime.access.test_roles import filled, listed
from tests.runtime.serving import REFUSED, Answer, Serving

pytestmark = pytest.mark.slow

_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


_GRAPHQL = "/graphql"


def _template(path: str) -> str:
    """Flask's way of writing a route as FastAPI writes it."""
    return re.sub(r"<(?:(path):)?(\w+)>", lambda m: f"{{{m[2]}{':path' if m[1] else ''}}}", path)


def _native(routes: list[Any]) -> Iterator[tuple[str, str]]:
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        for found in contexts() if contexts else [route]:
            yield from (
                (method, str(found.path)) for method in getattr(found, "methods", None) or ()
            )


@pytest.fixture(scope="module")
def routes() -> set[tuple[str, str]]:
    """Method and path template of all that MLflow's application serves."""
    from mlflow.server import app as flask_app
    from mlflow.server.fastapi_app import app

    flask = {
        (method, _template(str(rule.rule)))
        for rule in flask_app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    native = set(_native(list(app.routes)))
    assert len(flask) > 400, "MLflow's Flask routes were not found"
    assert len(native) > 70, "MLflow's FastAPI routes were not found"
    # Answered of themselves, from those of GET, or of any method.
    return {pair for pair in flask | native if pair[0] not in ("HEAD", "OPTIONS")}


@pytest.fixture(scope="module")
def paths(routes: set[tuple[str, str]]) -> list[str]:
    extra = {"/", "/no/such/route", "/static-files/x.js", "/metrics", "/version", "/gateway/x"}
    return sorted(({filled(path) for _, path in routes} | extra) - {"/health"})


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


def test_every_route_is_in_the_hand_written_list(routes: set[tuple[str, str]]) -> None:
    """One that is missing is an administrator's alone: say in both places whose it is."""
    assert sorted(routes - listed().keys()) == []
    if not OLDER:
        assert sorted(listed().keys() - routes) == [], "MLflow has them no more"


@pytest.mark.parametrize("role", [Role.READ, Role.WRITE])
def test_a_role_gets_no_further_than_is_written_down(server: Serving, role: Role) -> None:
    name = role.name.lower()
    token = server.run("token", "add", f"only-{name}", "--role", name).stdout.strip()
    server.wait_until(token, 200)
    beyond = sorted((m, filled(path)) for (m, path), needed in listed().items() if needed > role)
    assert len(beyond) > 100
    opened = [found for found in _statuses(server, beyond, token) if found[2] != 403]
    assert opened == []


@pytest.mark.parametrize("role", ["read", "write"])
def test_a_route_that_nobody_listed_is_not_there_but_for_administrators(
    server: Serving, role: str
) -> None:
    token = server.run("token", "add", f"unlisted-{role}", "--role", role).stdout.strip()
    server.wait_until(token, 200)
    others = [
        ("GET", "/no/such/route"),
        ("POST", "/api/2.0/mlflow/experiments/purge"),
        ("GET", "/ajax-api/9.0/mlflow/runs/get"),
        ("DELETE", "/api/2.0/mlflow/runs/search"),
        ("POST", "/api/2.0/mlflow/runs/get"),
        ("POST", "/trackstack/metrics"),
    ]
    assert [found for found in _statuses(server, others, token) if found[2] != 404] == []
    # The client takes an older route where it is told so.
    refused = server.request("GET", "/ajax-api/9.0/mlflow/runs/get", token)
    assert json.loads(refused.body)["error_code"] == "ENDPOINT_NOT_FOUND"
    assert server.request("POST", "/api/2.0/mlflow/runs/get", server.token).status == 405


def _ask_graphql(server: Serving, token: str, document: str, method: str = "POST") -> Answer:
    body = json.dumps({"query": document}).encode()
    headers = {"content-type": "application/json"}
    return server.request(method, _GRAPHQL, token, headers=headers, body=body)


def test_a_reader_queries_by_graphql_and_mutates_nothing(server: Serving) -> None:
    reader = server.run("token", "add", "graphql-reader", "--role", "read").stdout.strip()
    writer = server.run("token", "add", "graphql-writer", "--role", "write").stdout.strip()
    server.wait_until(reader, 200)
    server.wait_until(writer, 200)
    query = '{ mlflowGetExperiment(input: {experimentId: "0"}) { experiment { name } } }'
    mutation = 'mutation { testMutation(inputString: "x") { output } }'
    for method in ("POST", "GET"):
        answer = _ask_graphql(server, reader, query, method)
        assert answer.status == 200, answer.body
        found = json.loads(answer.body)["data"]["mlflowGetExperiment"]["experiment"]
        assert found == {"name": "Default"}
        for refused in (mutation, query + mutation, "", "x" * 300_000, "{ a " * 10_000):
            assert _ask_graphql(server, reader, refused, method).status in (403, 413)
    assert _ask_graphql(server, writer, mutation).status == 200


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
    text = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert _raw(server, text, ends=False) in ([401], [400])


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


def _raw(server: Serving, text: str, *, ends: bool = True) -> list[int]:
    """Send bytes as they are; the statuses of all answers.

    Who ``ends`` what he sends may be taken for gone before he is answered.
    """
    address = urlsplit(server.uri)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), 10) as link:
        link.sendall(text.encode("latin-1"))
        if ends:
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
