"""Tokens of one's own, on a real store: what ends them, and that nobody gets more than theirs."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from runtime.errors import UserError
from runtime.tokens.known import MountedTokens, TokenSet
from runtime.tokens.own import MOST, Limits, OwnTokens, effective, shown_label
from runtime.tokens.people import Known
from runtime.tokens.store import Owner, Role, Token, TokenTable, hash_of, utc_now
from runtime.tokens.uses import TokenUses

_LIMITS = Limits(max_days=90, sign_in_days=7)
_ADA = Owner("ada@example.com", Role.WRITE)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return create_engine(f"sqlite:///{tmp_path}/store.sqlite")


@pytest.fixture
def own(engine: Engine) -> OwnTokens:
    own = OwnTokens(engine, _LIMITS)
    for name in (_ADA.name, "bob"):
        own.people.sign_in(name, Role.WRITE)
    return own


def _found(engine: Engine, own: OwnTokens, value: str) -> Token | None:
    return asyncio.run(TokenSet(MountedTokens(), engine, own).find(value, "192.0.2.7"))


def test_a_token_of_one_s_own_is_found_by_its_value_and_named_after_its_owner(
    engine: Engine, own: OwnTokens
) -> None:
    value = own.add(_ADA, "laptop", Role.READ, None)
    found = _found(engine, own, value)
    assert found
    assert (found.name, found.role, shown_label(found)) == (
        "ada@example.com/laptop",
        Role.READ,
        "laptop",
    )
    assert _found(engine, own, value + "x") is None


def test_nobody_makes_a_token_of_a_higher_role_or_a_longer_life(own: OwnTokens) -> None:
    with pytest.raises(UserError, match="your role is write"):
        own.add(_ADA, "x", Role.ADMIN, None)
    with pytest.raises(UserError, match="at most 90 days"):
        own.add(_ADA, "x", Role.READ, timedelta(days=91))
    with pytest.raises(UserError, match="in again first"):
        own.add(Owner("carl", Role.WRITE), "x", Role.READ, None)
    for wrong in ("", "a" * 65, "a\nb"):
        with pytest.raises(UserError, match="64 printable"):
            own.add(_ADA, wrong, Role.READ, None)


def test_a_name_is_one_token_s_and_one_owner_has_so_many(own: OwnTokens) -> None:
    own.add(_ADA, "0", Role.READ, None)
    with pytest.raises(UserError, match="already"):
        own.add(_ADA, "0", Role.READ, None)
    own.add(Owner("bob", Role.READ), "0", Role.READ, None)
    own.add(_ADA, "0", Role.READ, None, again=True)
    for number in range(1, MOST):
        own.add(_ADA, str(number), Role.READ, None)
    with pytest.raises(UserError, match="revoke one"):
        own.add(_ADA, "more", Role.READ, None)


def test_one_s_own_are_revoked_by_oneself_and_by_an_admin_alone(
    engine: Engine, own: OwnTokens
) -> None:
    value = own.add(_ADA, "laptop", Role.READ, None)
    [token] = own.list([])
    with pytest.raises(UserError, match="no such token"):
        own.revoke(token.id, Owner("bob", Role.WRITE))
    # A token of that name is somebody else.
    with pytest.raises(UserError, match="no such token"):
        own.revoke(token.id, Owner(_ADA.name, Role.WRITE, "0" * 16))
    assert _found(engine, own, value)
    own.revoke(token.id, None)
    assert _found(engine, own, value) is None


def test_a_role_that_sinks_takes_the_tokens_along(engine: Engine, own: OwnTokens) -> None:
    value = own.add(_ADA, "laptop", Role.WRITE, None)
    assert own.people.sign_in(_ADA.name, Role.READ)
    found = _found(engine, own, value)
    assert found
    assert found.role == Role.READ
    assert not own.people.sign_in(_ADA.name, None), "the issuer gives no role"
    assert _found(engine, own, value) is None
    assert own.people.sign_in(_ADA.name, Role.WRITE)
    assert _found(engine, own, value) is None, "what has ended stays ended"


def test_who_is_removed_has_no_token_no_session_and_no_way_in(
    engine: Engine, own: OwnTokens
) -> None:
    value, began = own.add(_ADA, "laptop", Role.WRITE, None), utc_now()
    own.remove(_ADA.name)
    assert _found(engine, own, value) is None
    tokens = TokenSet(MountedTokens(), engine, own)
    assert asyncio.run(tokens.has_left(_ADA.name, began))
    assert not own.people.sign_in(_ADA.name, Role.WRITE)
    assert asyncio.run(TokenSet(MountedTokens(), engine, own).has_left(_ADA.name, utc_now()))
    own.people.let_in(_ADA.name)
    assert own.people.sign_in(_ADA.name, Role.WRITE)
    again = TokenSet(MountedTokens(), engine, own)
    assert asyncio.run(again.has_left(_ADA.name, began)), "an older session stays ended"
    assert not asyncio.run(again.has_left(_ADA.name, utc_now() + timedelta(seconds=1)))
    with pytest.raises(UserError, match="not removed"):
        own.people.let_in(_ADA.name)


def test_who_is_removed_stays_so_under_another_address(own: OwnTokens) -> None:
    people, issuer = own.people, "https://issuer.example"
    assert people.sign_in("eve@example.com", Role.WRITE, f"{issuer} 7")
    own.remove("eve@example.com")
    assert not people.sign_in("eve@other.example", Role.WRITE, f"{issuer} 7")
    assert "eve@other.example" not in {known.name for known in people.list().values()}
    assert people.sign_in("bob", Role.WRITE, f"{issuer} 8")
    people.let_in("eve@example.com")
    assert people.sign_in("eve@other.example", Role.WRITE, f"{issuer} 7")
    own.remove("eve@other.example")
    assert not people.sign_in("eve@example.com", Role.WRITE, f"{issuer} 7")


def test_a_token_ends_so_many_days_after_the_last_sign_in() -> None:
    now = utc_now()
    token = Token("ada/x", "0", Role.WRITE, now - timedelta(days=3), None, id="1", owner=_ADA)
    for ago, ends in ((6, 1), (2, 5), (8, -1)):
        known = Known(_ADA.name, Role.WRITE, now - timedelta(days=ago), None, False)
        [found] = effective([token], {_ADA.key: known}, [], _LIMITS)
        assert found.expires == now + timedelta(days=ends)
        assert found.is_valid(now) == (ends > 0)
    known = Known(_ADA.name, Role.WRITE, now, None, False)
    [found] = effective([token], {_ADA.key: known}, [], Limits(2, 7))
    assert not found.is_valid(now), "a limit that sinks counts for older tokens"
    [found] = effective([token], {_ADA.key: known}, [], Limits(None, None))
    assert found.expires is None


def test_a_token_of_a_token_s_holder_ends_with_that_token(engine: Engine, own: OwnTokens) -> None:
    shared = TokenTable(engine)
    shared.add("team", Role.WRITE, timedelta(days=1))
    [parent] = shared.list()
    owner = Owner("team", Role.WRITE, parent.proof)
    value = own.add(owner, "laptop", Role.WRITE, None)
    found = _found(engine, own, value)
    assert found
    assert (found.name, found.expires) == ("team/laptop", parent.expires)
    shared.rotate("team")
    assert _found(engine, own, value) is None


def test_a_new_token_works_at_once_where_the_worker_has_looked_just_before(
    engine: Engine, own: OwnTokens
) -> None:
    tokens = TokenSet(MountedTokens(), engine, own)

    async def story() -> Token | None:
        assert await tokens.find("wrong") is None
        value = own.add(_ADA, "laptop", Role.WRITE, None)
        await asyncio.sleep(0.3)
        return await tokens.find(value)

    assert asyncio.run(story())


def test_the_last_use_is_kept_with_where_it_came_from(engine: Engine, own: OwnTokens) -> None:
    value = own.add(_ADA, "laptop", Role.WRITE, None)
    tokens = TokenSet(MountedTokens(), engine, own)

    async def use() -> None:
        assert await tokens.find(value, "192.0.2.7")
        await asyncio.gather(*tokens._writing)  # pyright: ignore[reportPrivateUsage]

    asyncio.run(use())
    [token] = own.list([])
    assert TokenUses(engine).list()[token.use_key].address == "192.0.2.7"


def test_the_store_has_no_value(engine: Engine, own: OwnTokens, tmp_path: Path) -> None:
    value = own.add(_ADA, "laptop", Role.WRITE, None)
    content = (tmp_path / "store.sqlite").read_bytes()
    assert value.encode() not in content
    assert hash_of(value).encode() in content
