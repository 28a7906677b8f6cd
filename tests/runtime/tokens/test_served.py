"""Tokens where the store is not at hand: the server is asked, over HTTP."""

from collections.abc import Generator
from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime.cli import main
from runtime.errors import UserError
from runtime.settings import RuntimeSettings, load
from runtime.tokens.command import command
from runtime.tokens.served import ServedTokens, is_store_at_hand
from runtime.tokens.store import Role
from tests.runtime.access.people.site import SEARCH, STACK, Site, made, served
from tests.runtime.serving import request


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return made(tmp_path)


@pytest.fixture
def uri(site: Site) -> Generator[str]:
    with served(site) as uri:
        yield uri


def _asking(uri: str, token: str = STACK) -> ServedTokens:
    return ServedTokens(load({"MLFLOW_TRACKING_URI": uri, "MLFLOW_TRACKING_TOKEN": token}))


def _status(uri: str, token: str) -> int:
    return request(uri + SEARCH, "POST", token).status


def test_an_admin_s_token_makes_lists_rotates_and_revokes(uri: str, site: Site) -> None:
    tokens = _asking(uri)
    first = tokens.add("far", "write", "30d")
    assert _status(uri, first) == 200
    [listed] = tokens.list()
    assert (listed["name"], listed["role"], listed["owner"]) == ("far", "write", None)
    second = tokens.rotate("far")
    assert [_status(uri, token) for token in (first, second)] == [401, 200]
    with pytest.raises(UserError, match="already"):
        tokens.add("far", "read", None)
    reader = tokens.add("reader", "read", None)
    with pytest.raises(UserError, match="only admins"):
        _asking(uri, reader).list()
    tokens.revoke("far")
    assert _status(uri, second) == 401
    site.people.sign_in("ada", Role.WRITE)
    tokens.remove("ada")
    assert [person["removed"] for person in tokens.people()] == [True]
    tokens.let_in("ada")
    with pytest.raises(UserError, match="not removed"):
        tokens.let_in("ada")


def test_the_command_asks_the_server(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_BACKEND_STORE_URI", raising=False)
    monkeypatch.delenv("TRACKSTACK_DATA_DIR", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", STACK)
    done = CliRunner().invoke(command, ["add", "ci", "--role", "write", "--expires", "1d"])
    assert _status(uri, done.stdout.strip()) == 200


def test_a_server_that_does_not_answer_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TRACKSTACK_DATA_DIR", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", STACK)
    with pytest.raises(SystemExit) as ended:
        main(["token", "list"])
    assert ended.value.code == 75
    said = capsys.readouterr().err
    assert said.startswith("trackstack: http://127.0.0.1:9 does not answer")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "at_hand"),
    [
        ({}, True),
        ({"MLFLOW_TRACKING_URI": "http://x"}, False),
        ({"MLFLOW_TRACKING_URI": "http://x", "TRACKSTACK_DATA_DIR": "/d"}, True),
        ({"MLFLOW_TRACKING_URI": "http://x", "MLFLOW_BACKEND_STORE_URI": "sqlite:////d/x"}, True),
    ],
)
def test_the_store_is_at_hand_where_something_names_it(
    given: dict[str, str], at_hand: bool
) -> None:
    settings: RuntimeSettings = load(given)
    assert is_store_at_hand(settings) == at_hand
