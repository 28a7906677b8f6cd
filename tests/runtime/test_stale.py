from dataclasses import replace
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from runtime.stale import (
    DEFAULT_EXPERIMENT,
    KEEP_TAG,
    TTL_TAG,
    Experiment,
    Inventory,
    Kind,
    Model,
    Run,
    Version,
    decide,
)

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
    for text in ("soon", "-1", "0", "1.5", ""):
        experiment = replace(_EXPERIMENT, tags={TTL_TAG: text})
        assert _stale((experiment,), (replace(_RUN, touched=_NEW),)) == []


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
