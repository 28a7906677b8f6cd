"""The entrance alone: what it lets pass to MLflow, and what goes on to the checks."""

import pytest

from runtime.access.exchange import KEY, exchange_of
from runtime.access.layers.entrance import Entrance
from tests.runtime.access.layers.driving import Inner, drive, http, websocket


def _asked(scope: object) -> tuple[Inner, Inner]:
    checks, mlflow = Inner(), Inner()
    drive(Entrance(checks, mlflow), scope)  # type: ignore[arg-type]
    return checks, mlflow


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_liveness_route_is_open(method: str) -> None:
    checks, mlflow = _asked(http(method, "/health"))
    assert not checks.scopes
    assert KEY not in mlflow.scopes[0]


@pytest.mark.parametrize(
    "scope",
    [
        http("POST", "/health"),
        http("OPTIONS", "/health"),
        http("get", "/health"),
        http("GET", "/health/"),
        http("GET", "//health"),
        http("GET", "/ml/health"),
        # Decoded it is the same path.
        http("GET", "/health", raw_path=b"/%68ealth"),
        http("GET", "/health", raw_path=b"/x/../health"),
        http("GET", "/ml/health", root_path="/ml"),
        websocket("/health"),
    ],
)
def test_nothing_else_is(scope: object) -> None:
    checks, mlflow = _asked(scope)
    assert not mlflow.scopes
    assert checks.scopes[0]["type"] in ("http", "websocket")


def test_a_start_and_an_end_of_the_server_are_mlflow_s() -> None:
    checks, mlflow = _asked({"type": "lifespan"})
    assert (checks.scopes, mlflow.scopes) == ([], [{"type": "lifespan"}])


def test_no_other_kind_of_connection_is_known() -> None:
    with pytest.raises(ValueError, match="neither HTTP nor a websocket"):
        _asked({**http("GET", "/health"), "type": "webtransport"})


def test_the_exchange_says_what_is_asked_for() -> None:
    given = http("GET", "/version", ("x-request-id", "build-42"))
    checks, _ = _asked(given)
    found = exchange_of(checks.scopes[0])
    assert (found.method, found.path, found.address) == ("GET", "/version", "192.0.2.1")
    assert found.id == "build-42"
    assert (found.caller, found.is_let_in) == (None, False)
    assert KEY not in given, "another's scope was changed"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "\u00e9", "<script>"])
def test_an_id_that_is_none_is_replaced(given: str) -> None:
    checks, _ = _asked(http("GET", "/version", ("x-request-id", given)))
    assert len(exchange_of(checks.scopes[0]).id) == 16


def test_what_is_decided_by_is_what_is_routed_by() -> None:
    """A root path would let MLflow route by a part of the path that the checks saw."""
    checks, _ = _asked(http("GET", "/static-files/api/3.0/jobs/1", root_path="/static-files"))
    assert checks.scopes[0]["root_path"] == ""
    assert exchange_of(checks.scopes[0]).path == "/static-files/api/3.0/jobs/1"
