"""What a caller with a token can make a real server do: bounded in memory, time and rows."""

import gzip
import json
import socket
import sqlite3
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil
import pytest

from infra.rehearsal.system.waiting import wait_for
from tests.runtime.serving import Answer, Serving, serving

pytestmark = pytest.mark.slow

_MB = 1 << 20


@dataclass(frozen=True)
class Team:
    """A server with a run that has a large artifact, and a token of each role."""

    server: Serving
    tokens: Mapping[str, str]
    experiment: str
    run: str

    def ask(self, role: str, method: str, path: str, content: Any = None) -> Answer:
        body = None if content is None else json.dumps(content).encode()
        headers = {"content-type": "application/json"} if body else {}
        return self.server.request(method, path, self.tokens[role], headers=headers, body=body)

    def memory(self) -> float:
        """PSS of all the server's processes, MB."""
        server = psutil.Process(self.server.pid)
        family = [server, *server.children(recursive=True)]
        return sum(process.memory_full_info().pss for process in family) / _MB


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Generator[Team]:
    folder = tmp_path_factory.mktemp("bounds")
    with serving(folder / "data", TRACKSTACK_SEARCH_SECONDS="1.5", MLFLOW_WORKERS="1") as server:
        tokens = {"admin": server.token}
        for role in ("read", "write"):
            tokens[role] = server.run("token", "add", role, "--role", role).stdout.strip()
        with pytest.MonkeyPatch.context() as patch:
            client = server.client(patch)
            experiment = client.create_experiment("bounds")
            run = client.create_run(experiment).info.run_id
            large = folder / "large.bin"
            with large.open("wb") as file:
                file.truncate(64 * _MB)
            client.log_artifact(run, str(large))
        server.wait_until(tokens["read"], 200)
        yield Team(server, tokens, experiment, run)


def test_whoever_downloads_slowly_costs_little_memory(team: Team) -> None:
    address = urlsplit(team.server.uri)
    path = f"/get-artifact?run_uuid={team.run}&path=large.bin"
    whole = team.ask("read", "GET", path)
    assert (whole.status, len(whole.body)) == (200, 64 * _MB)
    before = team.memory()
    links: list[socket.socket] = []
    try:
        # More than the threads that a worker has: none of them may wait for a client.
        for _ in range(50):
            link = socket.create_connection((str(address.hostname), int(address.port or 0)), 30)
            links.append(link)
            head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            link.sendall(f"{head}Authorization: Bearer {team.tokens['read']}\r\n\r\n".encode())
        for link in links:
            assert link.recv(12) == b"HTTP/1.1 200"
        assert team.ask("read", "GET", "/version").status == 200
        assert team.memory() - before < 50 * 2
    finally:
        for link in links:
            link.close()


def _filter(conditions: int) -> str:
    return " AND ".join(f"params.p{number} = 'x'" for number in range(conditions))


def test_a_search_has_a_number_of_conditions(team: Team) -> None:
    search = "/api/2.0/mlflow/runs/search"
    wanted = {"experiment_ids": [team.experiment]}
    assert team.ask("read", "POST", search, {**wanted, "filter": _filter(20)}).status == 200
    refused = team.ask("read", "POST", search, {**wanted, "filter": _filter(300)})
    assert refused.status == 400
    assert "300" in json.loads(refused.body)["message"]
    query = urlencode({"filter": _filter(101).replace("params.", "tag."), "max_results": 1})
    for path in ("experiments/search", "registered-models/search", "model-versions/search"):
        assert team.ask("read", "GET", f"/api/2.0/mlflow/{path}?{query}").status == 400, path
    document = "query Q($data: MlflowSearchRunsInput!) { mlflowSearchRuns(input: $data) { x } }"
    variables = {"data": {"experimentIds": ["0"], "filter": _filter(101)}}
    asked = {"query": document, "variables": variables}
    assert b"conditions" in team.ask("read", "POST", "/graphql", asked).body
    named = (
        "query Q($x: String) { mlflowSearchRuns(input: {filter: $x}) { runs { info { runId } } } }"
    )
    other = {"query": named, "variables": {"x": _filter(102)}}
    assert b"conditions" in team.ask("read", "POST", "/graphql", other).body
    query = urlencode({"filter": _filter(101), "experiment_ids": team.experiment})
    assert team.ask("read", "GET", f"/api/2.0/mlflow/traces?{query}").status == 400
    pair = {"filter_string1": _filter(101), "filter_string2": _filter(1)}
    path = "/api/3.0/mlflow/traces/calculate-filter-correlation"
    assert b"conditions" in team.ask("read", "POST", path, {**wanted, **pair}).body


def test_compressed_traces_are_as_large_as_they_are(team: Team) -> None:
    headers = {
        "content-type": "application/x-protobuf",
        "content-encoding": "gzip",
        "x-mlflow-experiment-id": team.experiment,
    }
    statuses = [
        team.server.request(
            "POST", "/v1/traces", team.tokens["write"], headers=headers, body=gzip.compress(sent, 1)
        ).status
        for sent in (b"\0" * (65 * _MB), b"\0")
    ]
    assert statuses == [413, 400]


def test_traces_of_many_small_parts_are_refused_and_take_no_memory(team: Team) -> None:
    small = b'{"resourceSpans":[' + b"{}," * (6 * _MB) + b"{}]}"
    each = b'{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}'
    many = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b",".join([each] * 101_000) + b"]}]}]}"
    headers = {"x-mlflow-experiment-id": team.experiment}
    before = team.memory()
    span = json.dumps(
        {
            "traceId": "5b8efff798038103d269b633813fc60c",
            "spanId": "eee19b7ec3c1b174",
            "name": "one",
            "startTimeUnixNano": "1764000000000000000",
            "endTimeUnixNano": "1764000001000000000",
        }
    )
    usual = f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}'.encode()
    given = {**headers, "content-type": "application/json"}
    token = team.tokens["write"]
    assert team.server.request("POST", "/v1/traces", token, headers=given, body=usual).status == 200
    for kind, body in (
        ("x-protobuf", b"\x0a\x00" * (4 * _MB)),
        ("json", small),
        ("json", many),
    ):
        for more, sent in (({}, body), ({"content-encoding": "gzip"}, gzip.compress(body, 1))):
            given = {**headers, "content-type": f"application/{kind}", **more}
            answer = team.server.request("POST", "/v1/traces", token, headers=given, body=sent)
            assert answer.status == 413, (kind, more, answer.body[:200])
    assert team.memory() - before < 400


def test_a_search_s_conditions_have_a_length(team: Team) -> None:
    wanted = {"experiment_ids": [team.experiment]}
    for much in ({"order_by": [f"metrics.{'a' * 300_000}"]}, {"filter": "a " * 150_000}):
        answer = team.ask("read", "POST", "/api/2.0/mlflow/runs/search", {**wanted, **much})
        assert b"characters in all" in answer.body


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b"1", b"[]", b"[{}]", b"true", b'"x"', b'"[1"']
)
def test_what_is_no_object_or_too_deep_is_refused_in_words(team: Team, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    for path in ("runs/search", "experiments/search", "traces"):
        method = "GET" if path == "traces" else "POST"
        answer = team.server.request(
            method, f"/api/2.0/mlflow/{path}", team.tokens["read"], headers=headers, body=body
        )
        assert answer.status in (400, 413), (path, answer.body)
        assert json.loads(answer.body)["message"]


def test_a_search_has_its_time(team: Team) -> None:
    store = team.server.data_dir / "store" / "mydb.sqlite"
    # The registry looks at its tables when it is first asked.
    assert team.ask("read", "GET", "/api/2.0/mlflow/registered-models/search").status == 200
    with closing(sqlite3.connect(store)) as link, link:
        # A view in the table's place that never comes to an end.
        link.execute("ALTER TABLE registered_models RENAME TO kept_models")
        link.execute(
            "CREATE VIEW registered_models AS WITH RECURSIVE n(i) AS "
            "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT kept_models.* FROM n, kept_models"
        )
        link.execute(
            "INSERT INTO kept_models (name, creation_time, last_updated_time, workspace) "
            "VALUES ('m', 1, 1, 'default')"
        )
    try:
        answer = team.ask("read", "GET", "/api/2.0/mlflow/registered-models/search")
        assert answer.status == 400
        assert "more than 1.5 s" in json.loads(answer.body)["message"]
        assert b"SELECT" not in answer.body
    finally:
        with closing(sqlite3.connect(store)) as link, link:
            link.execute("DROP VIEW registered_models")
            link.execute("ALTER TABLE kept_models RENAME TO registered_models")
    assert team.ask("read", "GET", "/api/2.0/mlflow/registered-models/search").status == 200


def test_who_may_only_read_adds_no_question_to_an_experiment(team: Team) -> None:
    path = f"/api/3.0/mlflow/label-schemas/list?experiment_id={team.experiment}"

    def rows() -> int:
        with closing(sqlite3.connect(team.server.data_dir / "store" / "mydb.sqlite")) as link:
            return link.execute("SELECT count(*) FROM label_schemas").fetchone()[0]

    assert team.ask("read", "GET", path).status == 200
    assert rows() == 0
    assert team.ask("write", "GET", path).status == 200
    wait_for(lambda: rows() == 1, "the first question", 5)


def test_the_catalogue_of_models_needs_no_way_out(team: Team) -> None:
    answer = team.ask("admin", "GET", "/ajax-api/3.0/mlflow/gateway/supported-models")
    assert answer.status == 200
    assert len(json.loads(answer.body)["models"]) > 100


def test_as_many_conditions_as_are_allowed_are_answered_or_told(team: Team) -> None:
    """SQLite joins 64 tables at most: what needs more is the caller's to change."""
    for kind in ("tags.a", "params.a", "metrics.a"):
        value = "1" if kind == "metrics.a" else "'x'"
        content = {
            "experiment_ids": [team.experiment],
            "filter": " AND ".join(f"{kind}{number} = {value}" for number in range(100)),
        }
        answer = team.ask("read", "POST", "/api/2.0/mlflow/runs/search", content)
        assert answer.status == 400, answer.body
        assert b"ask for fewer conditions" in answer.body


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-protobuf", ""])
def test_conditions_count_whatever_a_body_is_said_to_be(team: Team, kind: str) -> None:
    """MLflow reads the body of a GET as JSON by any name."""
    for path in ("experiments/search", "registered-models/search"):
        for number, status in ((101, 400), (1, 200)):
            filters = " AND ".join(["name = 'x'"] * number)
            answer = team.server.request(
                "GET",
                f"/api/2.0/mlflow/{path}",
                team.tokens["read"],
                headers={"content-type": kind},
                body=json.dumps({"filter": filters, "max_results": 1}).encode(),
            )
            assert answer.status == status, answer.body
            assert status == 200 or b"may have 100 conditions" in answer.body


@pytest.mark.parametrize("path", ["mcp-servers", "mcp-servers/a/versions", "mcp-servers/endpoints"])
def test_searches_of_mcp_servers_are_counted_too(team: Team, path: str) -> None:
    """By the application that is not Flask's."""
    for number, told in ((100, False), (101, True)):
        query = urlencode({"filter_string": " AND ".join(["name = 'x'"] * number)})
        answer = team.ask("read", "GET", f"/ajax-api/3.0/mlflow/{path}?{query}")
        assert (b"may have 100 conditions" in answer.body) is told
        assert not told or answer.status == 400
