"""The jobs' last runs in a real store, and which job should have run by now."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from runtime.jobs import notes
from runtime.jobs.runs import JobRuns, JobState, main, overdue

_NOW = datetime(2026, 11, 26, 6, 47, tzinfo=timezone.utc)


def _state(
    name: str, cron: str, *, began: float | None, running: float | None = None, since: float = 99
) -> JobState:
    """Hours before now."""

    def ago(hours: float) -> datetime:
        return _NOW - timedelta(hours=hours)

    run = {"started": ago(began).isoformat()} if began is not None else None
    return JobState(name, cron, ago(since), ago(running) if running is not None else None, run)


@pytest.mark.parametrize(
    ("state", "is_overdue"),
    [
        (_state("gc", "*/10 * * * *", began=0.1), False),
        (_state("gc", "*/10 * * * *", began=0.2), False),
        (_state("gc", "*/10 * * * *", began=1), True),
        (_state("gc", "*/10 * * * *", began=54 * 24), True),
        (_state("prune", "0 0 * * *", began=6.8), False),
        (_state("prune", "0 0 * * *", began=30.8), True),
        # Due within the grace, or before there was such a schedule.
        (_state("backup", "40 6 * * *", began=24.1), False),
        (_state("backup", "30 1 * * *", began=None, since=2), False),
        (_state("backup", "30 1 * * *", began=None, since=6), True),
        # It runs, and does so in a day.
        (_state("backup", "30 1 * * *", began=48, running=5), False),
        (_state("backup", "30 1 * * *", began=48, running=30), True),
    ],
)
def test_a_job_is_overdue_by_its_own_schedule(state: JobState, is_overdue: bool) -> None:
    assert overdue([state], _NOW) == [state.name] * is_overdue


def test_jobs_wait_for_the_one_that_runs() -> None:
    backup = _state("backup", "30 1 * * *", began=24, running=3)
    gc = _state("gc", "*/10 * * * *", began=3)
    assert overdue([backup, gc], _NOW) == []
    assert overdue([gc], _NOW) == ["gc"]


def test_runs_are_kept_with_the_schedule_that_they_follow() -> None:
    runs = JobRuns(create_engine("sqlite://"))
    assert runs.list() == []
    runs.schedule({"gc": "*/10 * * * *", "prune": "0 0 * * *"})
    first = {state.name: state for state in runs.list()}
    assert {name: state.cron for name, state in first.items()} == {
        "gc": "*/10 * * * *",
        "prune": "0 0 * * *",
    }
    runs.begin("gc", "*/10 * * * *")
    assert runs.list()[0].running
    runs.end("gc", "*/10 * * * *", {"started": "2026-11-26T06:40:00+00:00", "exit_code": 0})
    [gc, prune] = runs.list()
    assert (gc.running, gc.run and gc.run["exit_code"], prune.run) == (None, 0, None)
    assert gc.since == first["gc"].since
    runs.begin("gc", "*/10 * * * *")
    runs.schedule({"gc": "0 3 * * *"})
    [gc] = runs.list()
    assert (gc.cron, gc.running) == ("0 3 * * *", None)
    assert gc.run, "what was is still told"


def test_the_process_of_its_own_notes_what_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = f"sqlite:///{tmp_path}/store.sqlite"
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", store)
    main(json.dumps({"job": "gc", "cron": "0 3 * * *"}))
    assert notes.tell(job="prune", cron="0 0 * * *") is None
    assert [state.name for state in JobRuns(create_engine(store)).list()] == ["gc", "prune"]
    assert notes.tell(schedule={"gc": "0 3 * * *"}) is None
    run = {"started": "2026-11-26T03:00:00+00:00"}
    main(json.dumps({"job": "gc", "cron": "0 3 * * *", "run": run}))
    [gc] = JobRuns(create_engine(store)).list()
    assert gc.run == run
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "sqlite:////no/such/folder/x")
    assert notes.tell(job="gc", cron="0 3 * * *"), "the reason is told, and nothing is raised"
