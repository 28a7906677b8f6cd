"""A token of one's own ends with its owner's rights at a real issuer, which is asked every hour."""

import asyncio
import sqlite3
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.rehearsal.system.ports import find_free_port
from infra.rehearsal.system.waiting import wait_for
from runtime.access.callers import Callers
from runtime.access.issuer.client import Issuer
from runtime.access.issuer.renewal import Renewal
from runtime.access.issuer.rules import rules_of
from runtime.settings import RuntimeSettings, load
from runtime.tokens.store import Role
from tests.runtime.access.people.site import (
    ACCOUNT,
    SEARCH,
    TOKENS,
    Headers,
    Site,
    bearer,
    made,
    served,
)
from tests.runtime.issuer import CLIENT_ID, Offline, change, issuing, signed_in, signed_in_for
from tests.runtime.serving import request

pytestmark = pytest.mark.slow

_KEY = "k" * 32


@dataclass
class Place:
    """A server whose people sign in at an issuer; time passes as the tests say."""

    site: Site
    uri: str
    issuer: str
    settings: RuntimeSettings
    variables: Mapping[str, str]

    def sql(self, statement: str, *values: str) -> list[tuple[str, ...]]:
        store = self.site.folder / "store" / "mydb.sqlite"
        with sqlite3.connect(store, timeout=60) as database:
            return database.execute(statement, values).fetchall()

    def days_pass(self, days: int) -> None:
        for table, column in (
            ("trackstack_people", "signed_in"),
            ("trackstack_refresh_tokens", "asked"),
        ):
            self.sql(f"UPDATE {table} SET {column} = datetime({column}, '-{days} days')")

    def renewal(self) -> Renewal:
        issuer = Issuer(self.settings, keeps_refresh_tokens=True)
        callers = Callers(self.settings, self.site.sessions)
        return Renewal(self.settings, callers, issuer, rules_of(self.settings))

    def look(self) -> None:
        asyncio.run(self.renewal().look())

    def token(self, browser: Headers, name: str, role: str = "read") -> str:
        status, made_now = self.site.api("POST", TOKENS, browser, name=name, role=role)
        assert status == 201, made_now
        return str(made_now["token"])

    def role(self, name: str) -> Role | None:
        people = self.site.people.list().values()
        return next(known.role for known in people if known.name.startswith(name))

    def refresh_tokens(self) -> list[tuple[str, ...]]:
        return self.sql("SELECT key, sealed FROM trackstack_refresh_tokens")

    def is_valid(self, token: str) -> bool:
        """As a worker sees it that reads the store now."""
        callers = Callers(self.settings, self.site.sessions)
        return asyncio.run(callers.by_token(token)) is not None

    def has_ended(self, token: str) -> None:
        assert not self.is_valid(token)

    def works(self, token: str) -> None:
        assert self.is_valid(token)


@contextmanager
def _placed(folder: Path, *, offline: Offline = "given", key: str = _KEY) -> Generator[Place]:
    port = find_free_port()
    home = f"http://127.0.0.1:{port}"
    with issuing(home, offline=offline) as issuer:
        variables = {
            "TRACKSTACK_PUBLIC_URL": home,
            "TRACKSTACK_OIDC_ISSUER": issuer,
            "TRACKSTACK_OIDC_CLIENT_ID": CLIENT_ID,
            "TRACKSTACK_ALLOWED_GROUPS": "data-science",
            "TRACKSTACK_ADMIN_GROUPS": "platform",
            "TRACKSTACK_READ_GROUPS": "guests",
            "TRACKSTACK_SECRETS_KEY": key,
        }
        site = made(folder, **variables)
        settings = load({**variables, "TRACKSTACK_DATA_DIR": str(folder)})
        with served(site, port=port) as uri:
            yield Place(site, uri, issuer, settings, variables)


@pytest.fixture
def place(tmp_path: Path) -> Generator[Place]:
    with _placed(tmp_path) as found:
        yield found


def _scope(uri: str) -> str:
    return request(f"{uri}/trackstack/oidc/begin").headers["location"]


def test_a_refresh_token_is_asked_for_only_where_it_is_given_and_can_be_kept(
    tmp_path: Path,
) -> None:
    with _placed(tmp_path / "given") as found:
        assert "offline_access" in _scope(found.uri)
    with _placed(tmp_path / "not given", offline="") as found:
        assert "offline_access" not in _scope(found.uri)
        browser = signed_in(found.uri, "ada")
        found.works(found.token(browser, "laptop"))
    with _placed(tmp_path / "no key", key="") as found:
        assert "offline_access" not in _scope(found.uri)


def test_an_application_that_may_have_no_refresh_tokens_is_signed_in_to_without(
    tmp_path: Path,
) -> None:
    with _placed(tmp_path, offline="refused") as found:
        assert "offline_access" in _scope(found.uri)
        found.works(found.token(signed_in(found.uri, "ada"), "laptop"))
        assert found.sql("SELECT name FROM sqlite_master WHERE name LIKE '%refresh%'") == []


def test_a_token_lives_on_while_the_issuer_says_so_and_its_refresh_tokens_are_sealed(
    place: Place,
) -> None:
    token = place.token(signed_in(place.uri, "ada"), "laptop")
    seen = place.refresh_tokens()
    assert len(seen) == 1
    for week in range(3):
        place.days_pass(8)
        place.has_ended(token)
        place.look()
        place.works(token)
        now = place.refresh_tokens()
        assert now != seen, week
        seen = now
    content = (place.site.folder / "store" / "mydb.sqlite").read_bytes()
    assert b'refresh_token":' not in content


def test_whoever_loses_their_groups_loses_their_tokens_and_a_role_that_sinks_sinks_there(
    place: Place,
) -> None:
    grace = signed_in(place.uri, "grace")
    token = place.token(grace, "laptop", "admin")
    assert place.site.api("GET", f"{TOKENS}?all=true", bearer(token))[0] == 200
    change(place.issuer, "grace", "guests")
    place.look()
    assert place.role("grace") is Role.ADMIN, "she is asked for every hour"
    place.days_pass(1)
    place.look()
    assert place.role("grace") is Role.READ
    everybody_s = f"{TOKENS}?all=true"
    wait_for(lambda: place.site.api("GET", everybody_s, bearer(token))[0] == 403, "her role", 10)
    assert place.site.works(token)
    change(place.issuer, "grace", "sales")
    place.days_pass(1)
    place.look()
    place.has_ended(token)
    wait_for(lambda: place.site.ask("GET", ACCOUNT, grace).status == 401, "the session's end", 10)
    assert place.refresh_tokens() == []


def test_whom_the_issuer_does_not_know_any_more_has_nothing_left(place: Place) -> None:
    ada, rosalind = signed_in(place.uri, "ada"), signed_in(place.uri, "rosalind")
    token, other = place.token(ada, "laptop"), place.token(rosalind, "laptop")
    change(place.issuer, "ada")
    place.days_pass(1)
    place.look()
    place.has_ended(token)
    place.works(other)
    wait_for(lambda: place.site.ask("POST", SEARCH, ada).status == 401, "the session's end", 10)
    assert len(place.refresh_tokens()) == 1
    # Back again, and what was before stays ended. Sessions begin at whole seconds.
    time.sleep(1)
    change(place.issuer, "ada", "data-science")
    place.works(place.token(signed_in(place.uri, "ada"), "another"))
    place.has_ended(token)


def test_an_issuer_that_does_not_answer_changes_nothing_for_a_week(tmp_path: Path) -> None:
    with _placed(tmp_path) as found:
        token = found.token(signed_in(found.uri, "ada"), "laptop")
    found.days_pass(1)
    before = found.refresh_tokens()
    found.look()
    found.works(token)
    assert found.refresh_tokens() == before
    found.days_pass(7)
    found.look()
    found.has_ended(token)


def test_workers_side_by_side_use_each_refresh_token_once(place: Place) -> None:
    """Used twice the issuer would take it for stolen, and the token would end."""
    token = place.token(signed_in(place.uri, "ada"), "laptop")

    async def all_at_once() -> None:
        await asyncio.gather(*(place.renewal().look() for _ in range(4)))

    for _ in range(2):
        place.days_pass(8)
        asyncio.run(all_at_once())
        place.works(token)


def test_who_signs_in_anew_or_is_removed_by_an_admin_is_not_asked_for_by_the_old_one(
    place: Place,
) -> None:
    place.token(signed_in(place.uri, "ada"), "laptop")
    [(_, first)] = place.refresh_tokens()
    signed_in(place.uri, "ada")
    [(_, second)] = place.refresh_tokens()
    assert first != second
    signed_in_for(place.uri, "ada", "/", "&offline=no")
    assert place.refresh_tokens() == []
    signed_in(place.uri, "ada")
    assert len(place.refresh_tokens()) == 1
    callers = Callers(place.settings, place.site.sessions)
    callers.own.remove("ada@example.com")
    assert place.refresh_tokens() == []


def test_who_made_no_token_is_never_asked_for(place: Place) -> None:
    signed_in(place.uri, "ada")
    before = place.refresh_tokens()
    place.days_pass(1)
    place.look()
    assert place.refresh_tokens() == before
    place.days_pass(2)
    place.look()
    assert place.refresh_tokens() == []


def test_each_worker_looks_from_its_first_request_on(place: Place) -> None:
    token = place.token(signed_in(place.uri, "ada"), "laptop")
    change(place.issuer, "ada")
    place.days_pass(1)
    with served(made(place.site.folder, **place.variables)) as another:
        place.works(token)
        assert request(f"{another}/health").status == 200
        wait_for(lambda: not place.is_valid(token), "its look", 20)
