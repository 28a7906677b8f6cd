"""Tokens that come with a backup: it may hold some that were revoked since."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from runtime.backup import make
from runtime.backup import restore as restoring
from runtime.backup.upgrade import upgrade
from runtime.database.engine import open_engine
from runtime.errors import UserError
from runtime.settings import RuntimeSettings
from runtime.tokens.store import Role, TokenTable
from tests import warm
from tests.runtime.filled import settings_of
from tests.runtime.serving import serving
from tests.warm import TRACKSTACK


def _table(folder: Path) -> TokenTable:
    settings = settings_of(folder)
    (folder / "store").mkdir(parents=True)
    return TokenTable(open_engine(settings))


def test_a_disabled_token_keeps_its_end_and_is_valid_again_when_enabled(tmp_path: Path) -> None:
    table = _table(tmp_path)
    table.add("endless", Role.WRITE, None)
    table.add("brief", Role.READ, timedelta(days=90))
    before = table.list()
    assert table.disable(frozenset()) == 2
    assert table.disable(frozenset()) == 2
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    for was, each in zip(before, table.list(), strict=True):
        assert each.is_disabled
        assert not each.is_valid(now)
        assert each.expires == was.expires
    assert not table.valid()
    table.enable("brief")
    table.enable("endless")
    assert table.list() == before
    table.enable("endless")
    assert table.list() == before
    with pytest.raises(UserError, match="no token 'nobody'"):
        table.enable("nobody")


def test_what_the_store_has_anyway_stays_and_a_new_value_is_enabled(tmp_path: Path) -> None:
    table = _table(tmp_path)
    for name in ("kept", "gone"):
        table.add(name, Role.WRITE, None)
    kept = frozenset(token for token in table.list() if token.name == "kept")
    assert table.disable(kept) == 1
    assert {token.name for token in table.valid()} == {"kept"}
    table.rotate("gone")
    assert {token.name for token in table.valid()} == {"gone", "kept"}


def _restore(settings: RuntimeSettings, place: str) -> "dict[str, object]":
    return restoring.restore(settings, place, None, force=True, with_artifacts=True, migrate=True)


@pytest.mark.slow
def test_a_revoked_token_is_not_valid_again_after_a_restore(tmp_path: Path) -> None:
    one, other = settings_of(tmp_path / "one"), settings_of(tmp_path / "other")
    upgrade(one)
    table = TokenTable(open_engine(one))
    revoked, kept = (table.add(name, Role.WRITE, None) for name in ("revoked", "kept"))
    tree = make.destination(one, None)
    make.back_up(one, tree)
    table.revoke("revoked")
    assert _restore(one, tree.uri)["disabled_tokens"] == 1
    assert {token.name for token in table.valid()} == {"kept"}
    assert _restore(other, tree.uri)["disabled_tokens"] == 2
    assert not TokenTable(open_engine(other)).valid()
    with serving(tmp_path / "other") as server:
        path = "/api/2.0/mlflow/experiments/search?max_results=1"
        for token in (revoked, kept):
            assert server.request("GET", path, token).status == 401
        listed = json.loads(server.run("token", "list", "--json").stdout)
        assert [each["disabled"] for each in listed] == [True, True]
        assert server.run("token", "enable", "kept").returncode == 0
        server.wait_until(kept, 200)
        assert server.request("GET", path, revoked).status == 401


@pytest.mark.slow
def test_a_restore_says_which_tokens_are_disabled_and_how_they_are_enabled(tmp_path: Path) -> None:
    one = settings_of(tmp_path / "one")
    upgrade(one)
    TokenTable(open_engine(one)).add("team", Role.WRITE, None)
    tree = make.destination(one, None)
    make.back_up(one, tree)
    done = warm.run(
        [TRACKSTACK, "restore", "--from", tree.uri],
        env={"TRACKSTACK_DATA_DIR": str(tmp_path / "new"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "1 named tokens came with it and are disabled" in done.stderr
    assert "trackstack token enable NAME" in done.stderr
