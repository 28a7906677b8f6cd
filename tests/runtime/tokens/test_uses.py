"""When a token was last used, on a real store."""

from sqlalchemy import create_engine

from runtime.tokens.uses import TokenUses


def test_a_use_is_noted_once_an_hour_for_each_token() -> None:
    now = [0.0]
    uses = TokenUses(create_engine("sqlite://"), lambda: now[0])
    assert [uses.is_due("a"), uses.is_due("a"), uses.is_due("b")] == [True, False, True]
    now[0] = 3600.0
    assert uses.is_due("a")


def test_the_last_use_is_kept_until_the_token_is_revoked() -> None:
    uses = TokenUses(create_engine("sqlite://"))
    assert uses.list() == {}
    uses.forget("a")
    uses.write("a")
    first = uses.list()["a"]
    uses.write("a")
    assert uses.list()["a"] >= first
    uses.forget("a")
    assert uses.list() == {}


def test_a_database_that_takes_nothing_is_tried_again() -> None:
    uses = TokenUses(create_engine("sqlite:////no/such/folder/x"))
    assert uses.is_due("a")
    uses.write("a")
    assert uses.is_due("a")
