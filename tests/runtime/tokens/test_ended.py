"""Ended sessions, on a real store."""

from datetime import timedelta

from sqlalchemy import create_engine

from runtime.tokens.ended import EndedSessions
from runtime.tokens.store import utc_now


def test_a_session_stays_ended_for_as_long_as_it_would_be_valid() -> None:
    ended = EndedSessions(create_engine("sqlite://"))
    assert ended.list() == frozenset()
    ended.end("past", utc_now() - timedelta(seconds=1))
    for _ in range(2):
        ended.end("now", utc_now() + timedelta(hours=1))
    assert ended.list() == {"now"}
