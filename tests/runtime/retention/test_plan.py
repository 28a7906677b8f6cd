"""What a pass takes, and how long it waits for that."""

import pytest

from runtime.errors import UserError
from runtime.retention.entities import Kind, Stale
from runtime.retention.plan import check_share, coming, due, without_registry
from runtime.retention.store.notices import first_noted

_DAY = 24 * 60 * 60 * 1000
_NOW = 1000 * _DAY
_NOTICE = 7 * _DAY


def _stale(kind: Kind, key: str, experiment: str = "") -> Stale:
    return Stale(kind, key, key, experiment, 0, _NOW - 30 * _DAY)


_RUN = _stale(Kind.RUN, "r", "e")
_EXPERIMENT = _stale(Kind.EXPERIMENT, "e", "e")
_VERSION, _MODEL = _stale(Kind.MODEL_VERSION, "a/b/1"), _stale(Kind.REGISTERED_MODEL, "a/b")


def test_what_stands_in_every_report_is_noted_since_the_first() -> None:
    day_before = (_NOW - 9 * _DAY, _NOW - _DAY)
    assert first_noted(_RUN, day_before, _NOW) == _NOW - 9 * _DAY
    assert first_noted(_RUN, None, _NOW) == _NOW


def test_what_may_have_been_used_between_two_reports_begins_anew() -> None:
    """No report for 31 days: a run of which nobody knows but that it is unused since 30."""
    assert first_noted(_RUN, (_NOW - 90 * _DAY, _NOW - 31 * _DAY), _NOW) == _NOW
    assert first_noted(_RUN, (_NOW - 90 * _DAY, _NOW - 30 * _DAY), _NOW) == _NOW - 90 * _DAY


def test_what_is_stale_after_a_day_is_due_though_no_two_passes_begin_at_the_same_second() -> None:
    daily = Stale(Kind.RUN, "r", "r", "e", 0, _NOW - _DAY)
    assert first_noted(daily, (_NOW - 9 * _DAY, _NOW - _DAY - 5000), _NOW) == _NOW - 9 * _DAY


def test_a_clock_that_was_put_back_begins_anew() -> None:
    assert first_noted(_RUN, (_NOW - 9 * _DAY, _NOW + _DAY), _NOW) == _NOW


def test_only_what_was_noted_long_enough_ago_is_due() -> None:
    for ago, found in ((7 * _DAY, [_RUN]), (7 * _DAY - 1, []), (0, [])):
        assert due([_RUN], {_RUN: _NOW - ago}, _NOW, _NOTICE) == found
    # Without notice, too, it stands in an earlier report at least.
    assert due([_RUN], {_RUN: _NOW}, _NOW, 0) == []
    assert due([_RUN], {_RUN: _NOW - 1}, _NOW, 0) == [_RUN]


def test_what_takes_others_along_waits_for_them() -> None:
    entities = [_RUN, _EXPERIMENT, _VERSION, _MODEL]
    long = dict.fromkeys(entities, _NOW - 9 * _DAY)
    assert due(entities, long, _NOW, _NOTICE) == entities
    assert due(entities, long | {_RUN: _NOW}, _NOW, _NOTICE) == [_VERSION, _MODEL]
    assert due(entities, long | {_VERSION: _NOW}, _NOW, _NOTICE) == [_RUN, _EXPERIMENT]


def _next_day(moment: int) -> int:
    return (moment // _DAY + 1) * _DAY


def test_what_goes_next_is_what_its_pass_takes() -> None:
    """Each pass begins some seconds after midnight, when it notes what it finds."""
    late, after = 4_000, _NOW + 9_000
    first = {_RUN: after - 5 * _DAY, _VERSION: _NOW + late - 5 * _DAY, _MODEL: after - 3 * _DAY}
    found = coming(list(first), first, _NOTICE, _next_day)
    assert found is not None
    # Its first report was two seconds later in its day; the model waits for itself, and with it
    # its version for nothing.
    assert found.at == _NOW + 2 * _DAY
    assert {kind for kind, number in found.counts.items() if number} == {
        Kind.RUN,
        Kind.MODEL_VERSION,
    }
    taken = due(list(first), first, found.at + 10_000, _NOTICE)
    assert taken == [_RUN, _VERSION]
    assert coming([], {}, _NOTICE, _next_day) is None


def test_what_takes_others_along_comes_with_the_last_of_them() -> None:
    first = {_EXPERIMENT: _NOW - 6 * _DAY, _RUN: _NOW - 2 * _DAY}
    found = coming(list(first), first, _NOTICE, _next_day)
    assert found is not None
    assert (found.at, found.counts[Kind.RUN]) == (_NOW + 5 * _DAY, 1)
    assert found.counts[Kind.EXPERIMENT] == 1


def test_registered_models_and_versions_stay_unless_allowed() -> None:
    entities = [_RUN, _VERSION, _MODEL]
    assert without_registry(entities, allowed=False) == ([_RUN], [_VERSION, _MODEL])
    assert without_registry(entities, allowed=True) == (entities, ())


def test_more_than_half_of_the_live_runs_is_refused_and_of_a_handful_is_not() -> None:
    def runs(number: int) -> list[Stale]:
        return [_stale(Kind.RUN, str(n)) for n in range(number)]

    check_share(runs(10), 10, allowed=False)
    check_share(runs(10), 20, allowed=False)
    check_share([_EXPERIMENT] * 99, 20, allowed=False)
    check_share(runs(11), 20, allowed=True)
    for taken, live in ((11, 11), (6, 11), (11, 20)):
        with pytest.raises(UserError, match="--more-than-half") as refused:
            check_share(runs(taken), live, allowed=False)
        assert refused.value.exit_code == 1
