import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from runtime.duration import MOST_DAYS
from runtime.retention.entities import (
    KEEP_TAG,
    PARENT_TAG,
    Experiment,
    Inventory,
    Key,
    Kind,
    Model,
    Question,
    Run,
    Version,
)
from runtime.retention.report_line import Line
from runtime.retention.report_page import bars, chart
from runtime.retention.stale import DEFAULT_EXPERIMENT, TTL_TAG, decide, logged_models, questions

_NOW = datetime(2026, 11, 20, tzinfo=timezone.utc)


def _days_ago(days: float) -> int:
    return int((_NOW - timedelta(days=days)).timestamp() * 1000)


_OLD, _NEW = _days_ago(31), _days_ago(29)
_EXPERIMENT = Experiment("1", "e", _OLD, {})
_RUN = Run("r", "name", "1", _OLD, {})
_VERSION = Version("m", "1", _OLD, "None", (), "r", {})
_MODEL = Model("m", _OLD, (), {})


def _stale(
    experiments: tuple[Experiment, ...] = (),
    runs: tuple[Run, ...] = (),
    versions: tuple[Version, ...] = (),
    models: tuple[Model, ...] = (),
) -> list[tuple[Kind, str]]:
    inventory = Inventory(experiments, runs, versions, models)
    return [(entity.kind, entity.key) for entity in decide(inventory, _NOW, 30)]


def test_what_is_old_and_unused_is_stale() -> None:
    assert _stale((_EXPERIMENT,), (_RUN,)) == [(Kind.RUN, "r"), (Kind.EXPERIMENT, "1")]
    version = replace(_VERSION, run_id=None)
    assert _stale(versions=(version,), models=(_MODEL,)) == [
        (Kind.MODEL_VERSION, "m/1"),
        (Kind.REGISTERED_MODEL, "m"),
    ]


def test_a_run_with_a_registered_version_is_kept_and_keeps_its_experiment() -> None:
    assert _stale((_EXPERIMENT,), (_RUN,), (_VERSION,)) == [(Kind.MODEL_VERSION, "m/1")]


def test_an_alias_or_a_stage_keeps_a_version_and_its_model() -> None:
    for kept in (replace(_VERSION, aliases=("Champion",)), replace(_VERSION, stage="Production")):
        assert _stale(versions=(kept,), models=(_MODEL,)) == []


def test_a_tag_keeps_anything() -> None:
    tags = {KEEP_TAG: "true"}
    assert _stale((_EXPERIMENT,), (replace(_RUN, tags=tags),)) == []
    assert _stale((replace(_EXPERIMENT, tags=tags),), (_RUN,)) == []
    assert _stale(versions=(replace(_VERSION, tags=tags),), models=(_MODEL,)) == []
    assert _stale(versions=(_VERSION,), models=(replace(_MODEL, tags=tags),)) == []


def test_an_experiment_has_its_own_time_to_live_by_tag() -> None:
    longer = replace(_EXPERIMENT, tags={TTL_TAG: "365"})
    shorter = replace(_EXPERIMENT, updated=_NEW, tags={TTL_TAG: "7"})
    assert _stale((longer,), (_RUN,)) == []
    assert _stale((shorter,), (replace(_RUN, touched=_NEW),)) == [
        (Kind.RUN, "r"),
        (Kind.EXPERIMENT, "1"),
    ]


def test_a_tag_that_is_no_number_of_days_changes_nothing() -> None:
    for text in ("soon", "-1", "0", "000", "1.5", "", " ", "1e9", "٣", "²"):
        experiment = replace(_EXPERIMENT, tags={TTL_TAG: text})
        assert _stale((experiment,), (replace(_RUN, touched=_NEW),)) == []
        assert len(_stale((experiment,), (_RUN,))) == 2


def test_a_tag_of_more_days_than_a_century_or_of_never_is_for_ever() -> None:
    for text in ("36501", "9999999999", "9" * 5000, "never", " Never "):
        experiment = replace(_EXPERIMENT, updated=0, tags={TTL_TAG: text})
        assert _stale((experiment,), (replace(_RUN, touched=0),)) == []
    longest = replace(_EXPERIMENT, updated=-(10**18), tags={TTL_TAG: "36500"})
    assert _stale((longest,)) == [(Kind.EXPERIMENT, "1")]


def test_whoever_tags_something_keeps_it_unless_they_say_that_they_do_not() -> None:
    for text in ("true", "1", "TRUE ", "", "for ever", "💾"):
        assert _stale((_EXPERIMENT,), (replace(_RUN, tags={KEEP_TAG: text}),)) == []
    for text in ("false", "0", "No", "off"):
        assert _stale((), (replace(_RUN, tags={KEEP_TAG: text}),)) == [(Kind.RUN, "r")]


def test_a_run_that_has_not_ended_is_kept_however_old_and_keeps_its_experiment() -> None:
    assert _stale((_EXPERIMENT,), (replace(_RUN, touched=0, in_progress=True),)) == []


def test_a_run_of_unknown_age_is_kept() -> None:
    assert _stale((_EXPERIMENT,), (replace(_RUN, touched=0),)) == []


def test_a_run_that_is_kept_keeps_its_parents_and_their_experiments() -> None:
    def child(run_id: str, parent: str) -> Run:
        return replace(_RUN, id=run_id, tags={PARENT_TAG: parent})

    elsewhere = replace(_EXPERIMENT, id="2")
    parents = (_RUN, child("middle", "r"), replace(_RUN, id="beside"))
    for kept in (
        replace(child("c", "middle"), in_progress=True, experiment_id="2"),
        replace(child("c", "middle"), touched=_NEW, experiment_id="2"),
    ):
        assert _stale((_EXPERIMENT, elsewhere), (*parents, kept)) == [(Kind.RUN, "beside")]
    old = (child("a", "b"), child("b", "a"), child("c", "gone"))
    assert [key for _, key in _stale((_EXPERIMENT,), old)] == ["a", "b", "c", "1"]
    circle = (old[0], replace(old[1], in_progress=True))
    assert _stale((_EXPERIMENT,), circle) == []


def test_what_is_in_use_by_what_it_holds_is_kept() -> None:
    def keys(*used: Key) -> list[str]:
        inventory = Inventory((_EXPERIMENT,), (_RUN,), (), (), frozenset(used))
        return [entity.key for entity in decide(inventory, _NOW, 30)]

    assert keys((Kind.EXPERIMENT, "1")) == ["r"]
    assert keys((Kind.RUN, "r")) == []
    assert keys((Kind.EXPERIMENT, "2"), (Kind.RUN, "1")) == ["r", "1"]


def test_a_version_without_a_run_id_keeps_the_run_that_its_source_lies_in() -> None:
    for source in ("runs:/r/model", "mlflow-artifacts:/1/r/artifacts/model", "s3://b/1/r"):
        version = replace(_VERSION, run_id=None, source=source)
        assert _stale((_EXPERIMENT,), (_RUN,), (version,)) == [(Kind.MODEL_VERSION, "m/1")]


def test_what_would_be_stale_is_asked_for_once_an_experiment_with_its_own_time() -> None:
    short = Experiment("2", "short", _NEW, {TTL_TAG: "7"})
    kept = Experiment("3", "kept", _OLD, {KEEP_TAG: "true"})
    runs = (_RUN, Run("s", "", "2", _days_ago(8), {}), Run("t", "", "2", _days_ago(6), {}))
    inventory = Inventory((_EXPERIMENT, short, kept), runs, (), ())
    asked = questions(inventory, decide(inventory, _NOW, 30), _NOW, 30)
    assert asked == (
        Question("1", _days_ago(30), True, ("r",)),
        Question("2", _days_ago(7), False, ("s",)),
    )


def test_every_logged_model_is_looked_for_that_a_version_was_made_of() -> None:
    by_id = replace(_VERSION, run_id="gone", model_id="m-1")
    by_source = replace(_VERSION, run_id=None, source="models:/m-2")
    of_run = replace(_VERSION, model_id="m-3")
    inventory = Inventory((), (_RUN,), (by_id, by_source, of_run), ())
    assert logged_models(inventory) == {"m-1", "m-2", "m-3"}


def test_a_run_that_is_kept_keeps_what_it_was_made_from_and_an_old_one_does_not() -> None:
    elsewhere = replace(_EXPERIMENT, id="2")
    source = frozenset({(Kind.RUN, "r"), (Kind.EXPERIMENT, "1")})
    evaluation = replace(_RUN, id="evaluation", experiment_id="2", uses=source)
    both = (_EXPERIMENT, elsewhere)
    assert _stale(both, (_RUN, replace(evaluation, touched=_NEW))) == []
    assert len(_stale(both, (_RUN, evaluation))) == 4
    # The run may be gone, and the model that it logged still be in its experiment.
    assert _stale(both, (replace(evaluation, touched=_NEW),)) == []


def test_an_experiment_in_whose_folder_a_version_lies_is_kept() -> None:
    by_hand = replace(_VERSION, run_id=None, source="mlflow-artifacts:/1/models/mine")
    copied = replace(_VERSION, run_id=None, source="models:/other/1")
    assert _stale((_EXPERIMENT,), (), (by_hand,)) == [(Kind.MODEL_VERSION, "m/1")]
    assert (Kind.EXPERIMENT, "1") in _stale((_EXPERIMENT,), (), (copied,))


def test_how_long_nobody_used_what_is_stale_is_its_time_to_live() -> None:
    short = Experiment("2", "short", _OLD, {TTL_TAG: "7"})
    inventory = Inventory((_EXPERIMENT, short), (), (_VERSION,), ())
    found = {entity.key: entity.unused_since for entity in decide(inventory, _NOW, 30)}
    assert found == {"1": _days_ago(30), "2": _days_ago(7), "m/1": _days_ago(30)}


def test_never_is_never_whatever_a_tag_says() -> None:
    experiment = replace(_EXPERIMENT, tags={TTL_TAG: "1"})
    inventory = Inventory((experiment,), (_RUN,), (_VERSION,), (_MODEL,))
    assert decide(inventory, _NOW, None) == ()


@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, MOST_DAYS))
def test_no_time_that_a_database_can_hold_breaks_a_pass(touched: int, days: int) -> None:
    experiment, run = replace(_EXPERIMENT, updated=touched), replace(_RUN, touched=touched)
    version, model = replace(_VERSION, updated=touched), replace(_MODEL, updated=touched)
    stale = decide(Inventory((experiment,), (run,), (version,), (model,)), _NOW, days)
    ages = [entity.age_days(_NOW) for entity in stale]
    assert all(age >= days for age in ages)
    ET.fromstring(chart(bars([Line("run", "r", "r", "e", age, 1) for age in ages])))


@given(st.text(), st.text())
def test_no_tag_breaks_a_pass(days: str, kept: str) -> None:
    experiment = replace(_EXPERIMENT, tags={TTL_TAG: days})
    stale = _stale((experiment,), (replace(_RUN, touched=_NEW, tags={KEEP_TAG: kept}),))
    # A kept run keeps its experiment.
    assert (Kind.RUN, "r") not in stale or kept.strip().lower() in ("false", "0", "no", "off")


def test_mlflow_s_default_experiment_is_never_stale() -> None:
    default = replace(_EXPERIMENT, id=DEFAULT_EXPERIMENT)
    assert _stale((default,)) == []


_TAGS = st.sampled_from([{}, {KEEP_TAG: "true"}, {TTL_TAG: "7"}, {TTL_TAG: "365"}])
_TIMES = st.sampled_from([_OLD, _NEW, _days_ago(400), _days_ago(0)])
_EXPERIMENTS = st.lists(
    st.builds(Experiment, st.sampled_from("0123"), st.just("e"), _TIMES, _TAGS),
    unique_by=lambda experiment: experiment.id,
)
_RUNS = st.lists(
    st.builds(Run, st.sampled_from("abcdef"), st.just("n"), st.sampled_from("0123"), _TIMES, _TAGS),
    unique_by=lambda run: run.id,
)
_VERSIONS = st.lists(
    st.builds(
        Version,
        st.sampled_from("mn"),
        st.sampled_from("12"),
        _TIMES,
        st.sampled_from(["None", "Production", "Archived"]),
        st.sampled_from([(), ("Champion",)]),
        st.sampled_from([None, *"abcdef"]),
        _TAGS,
    ),
    unique_by=lambda version: (version.model, version.version),
)
_MODELS = st.lists(
    st.builds(Model, st.sampled_from("mn"), _TIMES, st.just(()), _TAGS),
    unique_by=lambda model: model.name,
)


@given(_EXPERIMENTS, _RUNS, _VERSIONS, _MODELS)
def test_nothing_that_something_uses_is_ever_stale(
    experiments: list[Experiment], runs: list[Run], versions: list[Version], models: list[Model]
) -> None:
    inventory = Inventory(tuple(experiments), tuple(runs), tuple(versions), tuple(models))
    stale = {(entity.kind, entity.key) for entity in decide(inventory, _NOW, 30)}
    for version in versions:
        key = (Kind.MODEL_VERSION, f"{version.model}/{version.version}")
        assert (Kind.RUN, version.run_id) not in stale
        if version.aliases or version.stage == "Production" or KEEP_TAG in version.tags:
            assert key not in stale
        if key not in stale:
            assert (Kind.REGISTERED_MODEL, version.model) not in stale
    for run in runs:
        if (Kind.RUN, run.id) not in stale:
            assert (Kind.EXPERIMENT, run.experiment_id) not in stale
        if run.touched == _days_ago(0):
            assert (Kind.RUN, run.id) not in stale
