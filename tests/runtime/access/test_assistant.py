"""MLflow's assistant is on where a server was told so, and for administrators."""

from pathlib import Path

import pytest

from runtime.tokens.store import Role
from tests.runtime.access.people.site import STACK, bearer, made

_ROUTES = ("config", "providers", "message", "sessions/1/stream", "skills/install")


@pytest.mark.parametrize("path", _ROUTES)
@pytest.mark.parametrize("api", ["api", "ajax-api"])
def test_no_route_of_it_answers_where_it_is_off(tmp_path: Path, api: str, path: str) -> None:
    site, asked = made(tmp_path), f"/{api}/3.0/mlflow/assistant/{path}"
    answer = site.ask("POST" if path == "message" else "GET", asked, bearer(STACK))
    assert answer.status == 403
    assert b"TRACKSTACK_ASSISTANT=true" in answer.body
    assert site.ask("GET", asked, {}).status == 401


def test_an_administrator_has_it_where_it_is_on(tmp_path: Path) -> None:
    site = made(tmp_path, TRACKSTACK_ASSISTANT="true")
    path = "/ajax-api/3.0/mlflow/assistant/message"
    ordinary = site.shared.add("ci", Role.WRITE, None)
    assert site.ask("POST", path, bearer(STACK)).status == 200
    assert site.ask("POST", path, bearer(ordinary)).status == 403
