"""When a token was last used, on a real store."""

from datetime import timedelta

from sqlalchemy import create_engine

from runtime.tokens.own import Limits, OwnTokens
from runtime.tokens.store import Owner, Role, Token, hash_of
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
    uses.write("a", "192.0.2.1")
    assert uses.list()["a"].when >= first.when
    assert (first.address, uses.list()["a"].address) == (None, "192.0.2.1")
    uses.forget("a")
    assert uses.list() == {}


def test_a_database_that_takes_nothing_is_tried_again() -> None:
    uses = TokenUses(create_engine("sqlite:////no/such/folder/x"))
    assert uses.is_due("a")
    uses.write("a")
    assert uses.is_due("a")


def test_a_store_of_an_earlier_version_takes_addresses_from_the_next_use_on() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as link:
        link.exec_driver_sql(
            "CREATE TABLE trackstack_token_uses (name VARCHAR(64) PRIMARY KEY, used DATETIME)"
        )
        link.exec_driver_sql(
            "INSERT INTO trackstack_token_uses VALUES ('a', '2026-01-01 00:00:00')"
        )
    uses = TokenUses(engine)
    assert uses.list()["a"].address is None
    uses.write("b", "192.0.2.1")
    assert uses.list()["a"].when.year == 2026
    assert uses.list()["b"].address == "192.0.2.1"


def test_the_uses_of_tokens_that_have_gone_do_not_pile_up() -> None:
    engine = create_engine("sqlite://")
    uses, own = TokenUses(engine), OwnTokens(engine, Limits(90, 7))
    parent = Token("team", hash_of("t"), Role.WRITE)
    owner = Owner("team", Role.WRITE, parent.proof)
    for _ in range(3):
        # Of each sign-in from the same laptop another token.
        own.add(owner, "login laptop", Role.WRITE, timedelta(days=1), again=True)
        uses.write(own.list([parent])[0].use_key)
    uses.write("ci")
    assert uses.list().keys() == {own.list([parent])[0].use_key, "ci"}
