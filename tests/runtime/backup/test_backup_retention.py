"""Which backups are deleted, decided: never another store's, never the last whole one."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.artifacts.tree import Tree
from runtime.backup.format import manifest
from runtime.backup.retention import Found, Rule, alarm, decide, of_nobody, outgrown
from tests.examples import examples

_NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)
_OWN, _OTHER = "own", "other"


def _found(
    age_in_days: float,
    store: str | None = _OWN,
    *,
    whole: bool = True,
    artifacts: bool = True,
    rows: int = 0,
    files: int = 0,
) -> Found:
    name = manifest.new_name(_NOW - timedelta(days=age_in_days))
    return Found(name, whole, artifacts and whole, store, rows, files)


def _decide(
    found: Sequence[Found], keep: int, days: int | None = None, just_made: str | None = None
) -> list[str]:
    return decide(found, _OWN, _NOW, Rule(keep, days), just_made)


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
    assert decide([old, nobodys], None, _NOW, Rule(1)) == []


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
    assert decide(found, None, _NOW, Rule(1)) == []


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


def _nights(*sizes: tuple[int, int]) -> list[Found]:
    count = len(sizes)
    return [_found(count - n, rows=rows, files=f) for n, (rows, f) in enumerate(sizes)]


def test_what_holds_much_less_stands_in_for_none_and_is_an_alarm() -> None:
    night = _nights((1000, 90), *[(4, 0)] * 3)
    good, emptied = night[:1], night[1:]
    rule = Rule(2, percent=50)
    assert decide([*good, *emptied], _OWN, _NOW, rule) == [emptied[0].name]
    assert outgrown([*good, *emptied], _OWN, rule) == [good[0].name]
    for made in (emptied[:1], emptied[:2]):
        assert alarm([*good, *made], made[-1].name, rule) == good[0]
    # From then on it is told each night that it stays; nobody has to hear the alarm for ever.
    assert alarm([*good, *emptied], emptied[-1].name, rule) is None


@pytest.mark.parametrize(
    ("now", "is_one"), [((500, 45), False), ((499, 45), True), ((500, 44), True)]
)
def test_rows_and_files_below_the_percentage_are_an_alarm(
    now: tuple[int, int], is_one: bool
) -> None:
    found = _nights((1000, 90), now)
    assert (alarm(found, found[-1].name, Rule(7, percent=50)) == found[0]) == is_one
    assert (decide(found, _OWN, _NOW, Rule(1, percent=50)) == []) == is_one
    assert alarm(found, found[-1].name, Rule(7, percent=0)) is None


def test_an_alarm_compares_with_backups_of_the_same_store_and_kind() -> None:
    new = _found(0, rows=10)
    others = [_found(3, _OTHER, rows=1000), _found(2, None, rows=1000)]
    alone = _found(1, artifacts=False, rows=1000)
    assert alarm([*others, alone, new], new.name, Rule(7, percent=50)) is None
    assert alarm([new, *others], others[0].name, Rule(7, percent=50)) is None


# What one night brings: whose backup, whether it has artifacts, how large it is, by which clock,
# and whether somebody breaks it then.
_NIGHT = st.tuples(
    st.sampled_from([_OWN, _OWN, _OTHER]),
    st.booleans(),
    st.sampled_from([(0, 0), (5, 0), (300, 20), (1000, 90), (2000, 90)]),
    st.integers(-4000, 4000),
    st.sampled_from(["", "", "", "", "broken", "of an earlier version", "killed"]),
)


@settings(max_examples=examples(400), deadline=None)
@given(
    nights=st.lists(_NIGHT, max_size=20),
    keep=st.integers(1, 3),
    days=st.none() | st.integers(1, 300),
    percent=st.sampled_from([0, 50, 100]),
)
def test_no_backup_goes_before_enough_newer_ones_hold_what_it_holds(
    nights: list[tuple[str, bool, tuple[int, int], int, str]],
    keep: int,
    days: int | None,
    percent: int,
) -> None:
    """Of any sequence: good, empty, of a database alone, foreign, broken, by any clock."""
    place, made, rule = list[Found](), list[Found](), Rule(keep, days, percent)
    for store, artifacts, (rows, files), hours, fate in nights:
        now = _NOW + timedelta(hours=hours)
        name = manifest.new_name(now, [each.name for each in place])
        of = None if fate in ("broken", "of an earlier version") else store
        new = Found(name, fate != "killed", artifacts, of, rows, files if artifacts else 0)
        place.append(new)
        if fate == "killed":
            continue
        made.append(new)
        if alarm(place, name, rule):
            continue
        gone = set(decide(place, store, now, rule, name))
        for each in [each for each in place if each.name in gone]:
            assert each.store == store
            if each.is_complete:
                after = made[made.index(each) + 1 :]
                left = [n for n in after if n in place and n.name not in gone]
                assert sum(_stands_in(n, each, percent) for n in left) >= 1
                ever = [n for n in after if n in place]
                assert sum(_stands_in(n, each, percent) for n in ever) >= keep
        place = [each for each in place if each.name not in gone]
    # The newest whole one of each store and kind is there, whatever came after it.
    for store in (_OWN, _OTHER):
        for artifacts in (True, False):
            of_a_kind = [e for e in made if e.store == store and e.has_artifacts == artifacts]
            assert not of_a_kind or of_a_kind[-1] in place


def _stands_in(newer: Found, older: Found, percent: int) -> bool:
    return (
        newer.store == older.store
        and newer.has_artifacts == older.has_artifacts
        and newer.rows >= older.rows * percent / 100
        and newer.files >= older.files * percent / 100
    )
