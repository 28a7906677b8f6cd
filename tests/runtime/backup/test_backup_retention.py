"""Which backups are deleted, decided: never another store's, never the last whole one."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.artifacts.tree import Tree
from runtime.backup.format import manifest
from runtime.backup.retention import Found, decide, of_nobody
from tests.examples import examples

_NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)
_OWN, _OTHER = "own", "other"


def _found(
    age_in_days: float, store: str | None = _OWN, *, whole: bool = True, artifacts: bool = True
) -> Found:
    name = manifest.new_name(_NOW - timedelta(days=age_in_days))
    return Found(name, whole, artifacts and whole, store)


def _decide(
    found: Sequence[Found], keep: int, days: int | None = None, just_made: str | None = None
) -> list[str]:
    return decide(found, _OWN, _NOW, keep, days, just_made)


def test_the_newest_are_kept_and_with_days_the_younger_too() -> None:
    found = [_found(age) for age in (40, 20, 10, 1)]
    oldest = [each.name for each in found]
    assert _decide(found, 2) == oldest[:2]
    assert _decide(found, 2, 30) == oldest[:1]
    assert _decide(found, 7) == []


def test_a_backup_without_manifest_counts_for_nothing_and_goes_after_a_day() -> None:
    old, running, whole = _found(2, whole=False), _found(0.5, whole=False), _found(3)
    nobodys, theirs = _found(2, None, whole=False), _found(9, _OTHER, whole=False)
    assert _decide([old, running, whole, nobodys, theirs], 1) == [old.name]
    assert decide([old, nobodys], None, _NOW, 1, None) == []


@pytest.mark.parametrize("rest", ["", "-", "-my-photos", "-3fa", "-3fa2x", "-3FA2", "-3fa2\n"])
def test_a_folder_that_only_begins_as_a_backup_s_name_is_none(rest: str, tmp_path: Path) -> None:
    name = f"20240101T000000Z{rest}"
    (tmp_path / name).mkdir()
    assert manifest.time_of(name) is None
    assert manifest.names(Tree(str(tmp_path))) == {}


def test_backups_of_a_database_alone_do_not_count_for_those_with_artifacts() -> None:
    full = [_found(age) for age in (9, 8)]
    alone = [_found(age, artifacts=False) for age in (5, 4, 3, 2, 1)]
    assert _decide([*full, *alone], 2) == [each.name for each in alone[:3]]


def test_another_store_s_and_nobody_s_are_never_deleted() -> None:
    found = [_found(age, store) for age in range(1, 9) for store in (_OTHER, None)]
    found += [_found(0.1), _found(0.2)]
    assert _decide(found, 1) == [found[-1].name]
    assert len(of_nobody(found)) == 8
    assert decide(found, None, _NOW, 1, None) == []


def test_what_was_just_made_is_the_newest_whatever_the_clock_says() -> None:
    ahead = [_found(-age) for age in (3, 2, 1)]
    made = _found(0)
    gone = _decide([*ahead, made], 3, just_made=made.name)
    assert gone == [min(each.name for each in ahead)]


def test_names_go_on_where_the_clock_goes_back() -> None:
    first = manifest.new_name(_NOW)
    second = manifest.new_name(_NOW - timedelta(days=400), [first])
    third = manifest.new_name(_NOW, [first, second, "not-a-backup"])
    assert first < second < third


_BACKUPS = st.builds(
    _found,
    st.floats(-400, 400),
    st.sampled_from([_OWN, _OTHER, None]),
    whole=st.booleans(),
    artifacts=st.booleans(),
)


@settings(max_examples=examples(300), deadline=None)
@given(
    found=st.lists(_BACKUPS, max_size=12, unique_by=lambda each: each.name),
    keep=st.integers(1, 4),
    days=st.none() | st.integers(1, 300),
    last=st.booleans(),
)
def test_the_newest_whole_one_of_every_store_is_never_deleted(
    found: list[Found], keep: int, days: int | None, last: bool
) -> None:
    whole = [each for each in found if each.is_complete and each.store == _OWN]
    just_made = min((each.name for each in whole), default=None) if last else None
    gone = set(_decide(found, keep, days, just_made))
    assert just_made not in gone
    for each in found:
        if each.is_complete and each.store != _OWN:
            assert each.name not in gone
    for has_artifacts in (True, False):
        kind = sorted(each.name for each in whole if each.has_artifacts == has_artifacts)
        left = [name for name in kind if name not in gone]
        assert len(left) >= min(keep, len(kind))
        if kind and kind[-1] != just_made:
            newest = kind[-1]
            assert newest not in gone or (just_made in kind and keep == 1)
