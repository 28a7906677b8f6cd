"""The last changes, kept in the store, for admins."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from runtime.access.exchange import Exchange
from runtime.access.status.changes import MOST, Changes, is_change
from runtime.tokens.store import Role
from tests.runtime.access.layers.driving import CALLERS, http
from tests.runtime.access.people.site import STACK, TOKENS, bearer, made

_API, _PAGE = "/trackstack/api/changes", "/trackstack/"


@pytest.mark.parametrize(
    ("method", "path", "is_kept"),
    [
        ("POST", "/api/2.0/mlflow/runs/log-batch", False),
        ("POST", "/api/2.0/mlflow/runs/search", False),
        ("POST", "/api/2.0/mlflow/runs/delete", True),
        ("POST", "/ajax-api/2.0/mlflow/experiments/restore", True),
        ("POST", "/api/2.0/mlflow/registered-models/alias", True),
        ("GET", "/api/2.0/mlflow/registered-models/get", False),
        ("DELETE", "/api/2.0/mlflow-artifacts/artifacts/x/y", False),
        ("POST", "/trackstack/api/tokens", True),
        ("POST", "/trackstack/account/tokens", True),
        ("DELETE", "/trackstack/api/people", True),
        ("POST", "/trackstack/backups", True),
        ("POST", "/api/2.0/mlflow/webhooks", True),
        ("GET", "/trackstack/api/people", False),
    ],
)
def test_what_somebody_answers_for_is_kept(method: str, path: str, is_kept: bool) -> None:
    exchange = Exchange.of(http(method, path))
    exchange.status, exchange.caller = 200, CALLERS[Role.ADMIN]
    assert is_change(exchange) == is_kept
    exchange.status = 403
    assert not is_change(exchange), "it was refused"


def test_the_last_ones_are_kept_and_older_ones_go() -> None:
    engine = create_engine("sqlite://")
    changes = Changes(lambda: engine)
    assert changes.list() == []
    entry = {"who": "ada", "role": "admin", "method": "POST", "status": 200, "client": "192.0.2.1"}
    for number in range(MOST + 60):
        changes.write(entry | {"path": f"/{number}"})
    found = changes.list()
    assert (len(found), found[0]["path"], found[-1]["path"]) == (MOST, "/559", "/60")


def test_an_admin_sees_them_and_nobody_else(tmp_path: Path) -> None:
    site = made(tmp_path)
    ada = site.signed_in("ada<b>", Role.WRITE)
    assert site.api("POST", TOKENS, ada, name="laptop", role="read")[0] == 201
    status, said = site.api("GET", _API, bearer(STACK))
    assert (status, [(one["who"], one["path"]) for one in said["changes"]]) == (
        200,
        [("ada<b>", TOKENS)],
    )
    assert b"ada&lt;b&gt;" in site.ask("GET", _PAGE, bearer(STACK)).body
    assert site.ask("GET", _API, ada).status == 403
    assert b"Changes" not in site.ask("GET", _PAGE, ada).body
