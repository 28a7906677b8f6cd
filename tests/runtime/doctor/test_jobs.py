"""What doctor says of scheduled jobs, and that no line follows from another."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

from runtime.doctor import Finding, findings_of
from runtime.doctor.jobs import judged
from runtime.jobs.runs import JobState, overdue
from runtime.settings import load

_NOW = datetime(2026, 11, 26, 6, 47, tzinfo=timezone.utc)


def _gc(hours: float, code: int = 0) -> JobState:
    began = _NOW - timedelta(hours=hours)
    run = {"started": began.isoformat(), "exit_code": code}
    return JobState("gc", "*/10 * * * *", _NOW - timedelta(days=90), None, run)


def _judged(state: JobState) -> Finding:
    return judged(load({}), [state], _NOW, overdue([state], _NOW))


def test_a_scheduler_that_is_dead_is_found() -> None:
    well = _judged(_gc(0.1))
    assert (well.well, "next at 2026-11-26 06:50 UTC" in well.found) == (True, True)
    dead = _judged(_gc(54 * 24))
    assert (dead.well, "was due at 2026-11-26 06:40 UTC" in dead.found) == (False, True)
    assert "nobody runs the schedules" in dead.advice


def test_a_job_that_failed_is_run_by_hand_as_its_schedule_runs_it() -> None:
    failed = _judged(_gc(0.1, code=1))
    assert (failed.well, failed.advice) == (
        False,
        "run by hand: trackstack scheduler --once gc",
    )


def test_a_data_directory_that_nothing_needed_so_far_is_well_where_it_can_be_made(
    tmp_path: Path,
) -> None:
    """As where the database, the artifacts and the token are elsewhere."""
    (tmp_path / "file").touch()
    for place, well in (("not/yet", True), ("file/data", False)):
        found, *_ = findings_of(load({"TRACKSTACK_DATA_DIR": str(tmp_path / place)}))
        assert (found.check, found.well) == ("data directory", well)


def test_of_a_server_that_is_down_one_line_is_said(tmp_path: Path) -> None:
    settings = load(
        {"TRACKSTACK_DATA_DIR": str(tmp_path), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    )
    found = findings_of(settings)
    assert [f.check for f in found] == ["data directory", "backend store", "jobs", "server"]
    assert [f.check for f in found if not f.well] == ["backend store", "server"]
