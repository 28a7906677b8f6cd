"""Which role each route needs: the product's table against a list that a person wrote."""

import re
from pathlib import Path

import pytest

from runtime import settings
from runtime.access.rules.queries import is_query
from runtime.access.rules.roles import RouteScope, Rule, is_known, required_role, rule_of
from runtime.tokens.known import MountedTokens
from runtime.tokens.store import Role

_FILE = Path(__file__).with_name("routes.txt")


def _rules() -> dict[tuple[str, str], Rule]:
    """The hand-written list: (method, path template) -> role and scope."""
    lines = [line.split() for line in _FILE.read_text().splitlines() if line[:1] not in ("#", "")]
    rules = {
        (method, path): Rule(Role.named(role), RouteScope(scope))
        for role, scope, method, path in lines
    }
    assert len(rules) == len(lines), "a route is listed twice"
    return rules


def listed() -> dict[tuple[str, str], Role]:
    """The hand-written list's roles."""
    return {route: rule.role for route, rule in _rules().items()}


def filled(template: str, value: str = "1") -> str:
    """A path that a template matches."""
    return re.sub(r"\{\w+(:path)?\}", value, template)


def test_every_listed_route_needs_the_role_that_is_written_down() -> None:
    roles = listed()
    assert len(roles) > 450
    for value in ("1", "a b", "search.x", "ä%"):
        found = {pair: required_role(pair[0], filled(pair[1], value)) for pair in roles}
        assert found == roles


def test_every_listed_route_has_the_scope_that_is_written_down() -> None:
    rules = _rules()
    for value in ("1", "a b", "search.x", "ä%"):
        found = {pair: rule_of(pair[0], filled(pair[1], value)) for pair in rules}
        assert found == rules


def test_every_scope_is_some_route_s() -> None:
    assert {rule.scope for rule in _rules().values()} == set(RouteScope)


def test_the_server_s_own_routes_are_in_the_table() -> None:
    assert rule_of("GET", "/metrics") == Rule(Role.READ, RouteScope.GLOBAL)
    assert rule_of("POST", "/trackstack/backups") == Rule(Role.ADMIN, RouteScope.GLOBAL)
    assert rule_of("GET", "/no/such/route") is None


def test_no_other_spelling_of_a_route_needs_less() -> None:
    for (method, path), role in listed().items():
        path = filled(path)
        for other in (path + "/", "/" + path, path.replace("/", "//"), path + "//"):
            assert required_role(method, other) >= role, (method, other)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ajax-api/3.0/jobs"),
        ("POST", "/ajax-api/3.0/jobs/"),
        ("POST", "/api/3.0/jobs"),
        ("POST", "/api/3.0/jobs/"),
        ("POST", "/api/3.0/jobs/search"),
        ("GET", "/api/3.0/jobs/1"),
        ("POST", "/api/3.0/mlflow/jobs"),
        ("POST", "/ajax-api/3.0/mlflow/jobs/"),
        ("GET", "/ajax-api/3.0/mlflow/jobs/1"),
        ("POST", "/ajax-api/3.0/mlflow/scorer/invoke"),
        ("POST", "/ajax-api/3.0/mlflow/issues/invoke/"),
        ("POST", "/ajax-api/3.0/mlflow/genai/evaluate/invoke"),
        ("POST", "/api/3.0/mlflow/gateway/secrets/create"),
        ("GET", "/api/3.0/mlflow/gateway/secrets/list"),
        ("GET", "/ajax-api/3.0/mlflow/gateway/supported-models"),
        ("POST", "/trackstack/backups"),
        # What a newer MLflow may bring, and what is nowhere.
        ("GET", "/api/4.0/mlflow/experiments/search"),
        ("POST", "/api/2.0/mlflow/experiments/purge"),
        ("GET", "/api/3.0/mlflow/gateway/endpoints/get/x"),
        ("DELETE", "/api/2.0/mlflow/experiments/search"),
        ("GET", "/no/such/route"),
        ("TRACE", "/version"),
        ("get", "/version"),
    ],
)
def test_what_runs_code_or_is_in_no_table_is_an_administrators(method: str, path: str) -> None:
    assert required_role(method, path) is Role.ADMIN


def test_head_asks_what_get_asks_and_options_what_there_is() -> None:
    for (method, path), role in listed().items():
        if method == "GET":
            assert required_role("HEAD", filled(path)) is role
        assert required_role("OPTIONS", filled(path)) is Role.READ
    assert required_role("OPTIONS", "/no/such/route") is Role.ADMIN


def test_a_registry_that_is_protected_loses_nothing_but_by_an_administrator() -> None:
    for path in ("registered-models/delete", "model-versions/delete"):
        for form in (f"/api/2.0/mlflow/{path}", f"/ajax-api/2.0/mlflow/{path}/"):
            assert required_role("DELETE", form, protect_registry=True) is Role.ADMIN
            assert required_role("DELETE", form) is Role.WRITE


def test_a_route_is_known_by_its_method_and_path() -> None:
    assert is_known("HEAD", "/api/2.0/mlflow/runs/get/")
    assert not is_known("POST", "/api/2.0/mlflow/runs/get")
    assert not is_known("POST", "/api/2.0/mlflow/runs/purge")


_RUN = (
    'query GetRun($in: MlflowGetRunInput!) @component(name: "x") { mlflowGetRun(input: $in) { x } }'
)


@pytest.mark.parametrize(
    "document",
    [
        _RUN,
        "{ mlflowGetRun { x } }",
        "query A { a } query B { b }",
        "fragment F on Run { x } query A { a { ...F } }",
    ],
)
def test_a_graphql_query_is_known_as_one(document: str) -> None:
    import json

    assert is_query(json.dumps({"query": document, "operationName": "A"}).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"query": null}',
        b'{"query": {}}',
        b'{"query": ""}',
        b'{"query": "fragment F on Run { x }"}',
        b'{"query": "mutation { testMutation(inputString: \\"x\\") { output } }"}',
        b'{"query": "query A { a } mutation B { b }", "operationName": "A"}',
        b'{"query": "subscription { a }"}',
        b'{"query": "type X { a: Int }"}',
        b'{"query": "{ a }", "query": "mutation { a }"}',
        b'[{"query": "{ a }"}]',
        b'{"query": "' + b"{ a " * 20_000 + b'"}',
        b'{"query": "{' + b" a" * 20_000 + b'}"}',
        b'{"query": ' * 20_000,
        b"\xff\xfe{",
    ],
)
def test_whatever_else_is_sent_to_graphql_is_no_query(body: bytes) -> None:
    assert not is_query(body)


@pytest.mark.parametrize(
    ("protected", "pruned", "role"),
    [
        ("false", "true", Role.WRITE),
        ("true", "false", Role.WRITE),
        ("true", "true", Role.ADMIN),
    ],
)
def test_the_jobs_may_delete_protected_models_only_where_prune_does(
    protected: str, pruned: str, role: Role
) -> None:
    given = settings.load(
        {
            "TRACKSTACK_JOB_TOKEN": "t" * 32,
            "TRACKSTACK_PROTECT_REGISTRY": protected,
            "TRACKSTACK_PRUNE_REGISTRY": pruned,
        }
    )
    (jobs,) = MountedTokens.of(given, lambda name: None).list()
    assert (jobs.name, jobs.role) == ("jobs", role)
