"""Refresh tokens in a real store: sealed, used once, and never another's."""

from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from runtime.database.engine import open_engine
from runtime.sealed import sign_ins
from runtime.sealed.sign_ins import RefreshTokens, SignedIn
from runtime.settings import load
from tests.runtime.databases import mariadb, postgresql

_NOW, _HOUR = datetime(2026, 11, 26, 12), timedelta(hours=1)
_ADA = SignedIn("ada@example.com", "https://issuer.example", "ada", "secret-1")


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.slow),
        pytest.param("mysql", marks=pytest.mark.slow),
    ]
)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Engine]:
    if request.param == "sqlite":
        yield create_engine(f"sqlite:///{tmp_path}/store.sqlite")
        return
    with {"postgresql": postgresql, "mysql": mariadb}[request.param]() as server:
        found = open_engine(load({"MLFLOW_BACKEND_STORE_URI": server.new_database()}))
        yield found
        found.dispose()


def _kept(engine: Engine, keys: str = "a" * 32) -> RefreshTokens:
    return RefreshTokens(engine, load({"TRACKSTACK_SECRETS_KEY": keys}))


def test_each_is_claimed_once_an_hour_and_what_came_meanwhile_counts(engine: Engine) -> None:
    kept = _kept(engine)
    assert kept.due({"ada"}, _NOW, _HOUR) == []
    kept.keep("ada", _ADA, _NOW - _HOUR)
    kept.keep("bob", _ADA, _NOW - _HOUR)
    assert kept.due({"ada"}, _NOW - timedelta(seconds=1), _HOUR) == []
    assert kept.due({"ada"}, _NOW, _HOUR) == ["ada"]
    claimed = kept.claim("ada", _NOW, _HOUR)
    assert claimed
    assert claimed.signed_in == _ADA
    assert kept.claim("ada", _NOW, _HOUR) is None
    assert kept.due({"ada"}, _NOW, _HOUR) == []
    again = SignedIn(_ADA.name, _ADA.issuer, _ADA.subject, "secret-2")
    assert kept.replace(claimed, again)
    # It is no more what was claimed.
    assert not kept.replace(claimed, _ADA)
    assert not kept.drop(claimed)
    next_one = kept.claim("ada", _NOW + _HOUR, _HOUR)
    assert next_one
    assert next_one.signed_in == again
    # Signed in meanwhile, and then removed.
    kept.keep("ada", _ADA, _NOW)
    assert not kept.drop(next_one)
    sign_ins.forget(engine, "ada")
    assert not kept.replace(next_one, again)
    assert kept.claim("ada", _NOW + timedelta(days=9), _HOUR) is None
    kept.forget_unused({"bob"}, _NOW + timedelta(days=9))
    assert kept.due({"bob"}, _NOW, _HOUR) == ["bob"]
    kept.forget_unused({"ada"}, _NOW + timedelta(days=9))
    assert kept.due({"bob"}, _NOW, _HOUR) == []


def test_it_lies_under_the_stack_s_key_alone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/store.sqlite")
    _kept(engine).keep("ada", _ADA, _NOW)
    with engine.connect() as connection:
        row = str(connection.execute(text("SELECT * FROM trackstack_refresh_tokens")).one())
    assert "secret" not in row
    assert "example" not in row
    # The key was rotated, and is still there.
    later = _NOW + _HOUR
    claimed = _kept(engine, f"{'b' * 32} {'a' * 32}").claim("ada", later, _HOUR)
    assert claimed
    assert claimed.signed_in == _ADA
    # It is gone: nobody is asked for, and nothing is left.
    lost = _kept(engine, "b" * 32)
    assert lost.claim("ada", later + _HOUR, _HOUR) is None
    assert lost.due({"ada"}, later + 2 * _HOUR, _HOUR) == []
    assert not sign_ins.is_kept(load({}))
