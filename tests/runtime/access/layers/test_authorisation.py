"""Authorisation alone: the caller is known, and the table of routes decides."""

import json

import pytest
from starlette.types import Scope

from runtime.access.exchange import exchange_of
from runtime.access.layers.authorisation import Authorisation
from runtime.tokens.store import Role
from tests.runtime.access.layers.driving import Driven, Inner, asked, drive, http, websocket

_SEARCH = "/api/2.0/mlflow/experiments/search"
_CREATE = "/api/2.0/mlflow/experiments/create"
_WEBHOOKS = "/api/2.0/mlflow/webhooks"
_DELETE = "/api/2.0/mlflow/registered-models/delete"


def _ask(scope: Scope, role: Role, body: bytes = b"", *, protect: bool = False) -> Driven:
    """Ask, and check that what is refused gets no further, and what is not, is marked."""
    inner = Inner()
    scope = asked(scope, role)
    answer = drive(Authorisation(inner, protect_registry=protect), scope, body)
    assert exchange_of(scope).is_let_in == bool(inner.scopes)
    assert bool(inner.scopes) == (answer.status in (0, 200) and not answer.is_closed)
    if inner.bodies:
        assert inner.bodies == [body]
    return answer


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [("GET", _SEARCH, Role.READ), ("POST", _CREATE, Role.WRITE), ("GET", _WEBHOOKS, Role.ADMIN)],
)
def test_a_role_that_is_high_enough_is_let_in(method: str, path: str, needed: Role) -> None:
    for role in Role:
        expected = 200 if role >= needed else 403
        assert _ask(http(method, path), role).status == expected


def test_who_is_refused_is_told_what_is_needed() -> None:
    told = json.loads(_ask(http("POST", _CREATE), Role.READ).body)
    assert told == {
        "error_code": "PERMISSION_DENIED",
        "message": "this needs the role write; 'read' has read",
    }


def test_a_route_that_nobody_knows_is_not_there_but_for_administrators() -> None:
    for method, path in (("GET", "/no/such"), ("BREW", _SEARCH), ("get", _SEARCH)):
        told = _ask(http(method, path), Role.WRITE)
        assert (told.status, json.loads(told.body)["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
        assert _ask(http(method, path), Role.ADMIN).status == 200


@pytest.mark.parametrize(("protect", "status"), [(False, 200), (True, 403)])
def test_a_protected_registry_loses_nothing(protect: bool, status: int) -> None:
    assert _ask(http("DELETE", _DELETE), Role.WRITE, protect=protect).status == status
    assert _ask(http("DELETE", _DELETE), Role.ADMIN, protect=protect).status == 200


def test_a_reader_queries_by_graphql_and_mutates_nothing() -> None:
    for path, body, status in (
        ("/graphql", b'{"query": "{ a }"}', 200),
        ("/graphql", b'{"query": "mutation { a }"}', 403),
        ("/graphql", b"", 403),
        ("/graphql", b" " * 300_000, 403),
        ("/graphql/", b'{"query": "{ a }"}', 403),
        ("//graphql", b'{"query": "{ a }"}', 403),
    ):
        assert _ask(http("POST", path), Role.READ, body).status == status, (path, body[:20])
    assert _ask(http("POST", "/graphql"), Role.WRITE, b'{"query": "mutation { a }"}').status == 200


def test_a_websocket_may_change_something() -> None:
    assert _ask(websocket(_SEARCH), Role.READ).status == 0
    assert _ask(websocket(_CREATE), Role.READ).is_closed
    assert _ask(websocket("/graphql"), Role.READ).is_closed
    assert _ask(websocket("/no/such"), Role.WRITE).is_closed
    assert not _ask(websocket("/no/such"), Role.ADMIN).is_closed


def test_nobody_is_let_in_without_a_name() -> None:
    inner = Inner()
    for scope in (http("GET", _SEARCH), websocket(_SEARCH)):
        with pytest.raises(LookupError):
            drive(Authorisation(inner, protect_registry=False), asked(scope))
    assert inner.scopes == []
