"""MLflow's assistant is on where a server was told so, and for administrators."""

from pathlib import Path

import pytest
from mlflow.server.assistant.api import ConfigResponse, ProvidersResponse

from runtime.tokens.store import Role
from tests.runtime.access.people.site import STACK, bearer, made

_ROUTES = ("message", "sessions/1/stream", "skills/install", "providers/ollama/models")


@pytest.mark.parametrize("path", _ROUTES)
@pytest.mark.parametrize("api", ["api", "ajax-api"])
def test_no_route_of_it_answers_where_it_is_off(tmp_path: Path, api: str, path: str) -> None:
    site, asked = made(tmp_path), f"/{api}/3.0/mlflow/assistant/{path}"
    method = "POST" if path in ("message", "skills/install") else "GET"
    answer = site.ask(method, asked, bearer(STACK))
    assert answer.status == 403
    assert b"TRACKSTACK_ASSISTANT=true" in answer.body
    assert site.ask("GET", asked, {}).status == 401


def test_the_page_s_own_questions_are_answered_with_none(tmp_path: Path) -> None:
    site, below = made(tmp_path), "/ajax-api/3.0/mlflow/assistant"
    reader = site.signed_in("ada", Role.READ)
    # As MLflow says it where there is none.
    config, none = ConfigResponse(), ProvidersResponse(providers=[], resolved=None)
    assert site.api("GET", f"{below}/config", reader) == (200, config.model_dump())
    assert site.api("GET", f"{below}/providers", reader) == (200, none.model_dump())
    assert site.ask("PUT", f"{below}/config", bearer(STACK)).status == 403


def test_an_administrator_has_it_where_it_is_on(tmp_path: Path) -> None:
    site = made(tmp_path, TRACKSTACK_ASSISTANT="true")
    path = "/ajax-api/3.0/mlflow/assistant/message"
    ordinary = site.shared.add("ci", Role.WRITE, None)
    assert site.ask("POST", path, bearer(STACK)).status == 200
    assert site.ask("POST", path, bearer(ordinary)).status == 403
