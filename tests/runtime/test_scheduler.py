import json
import os
import signal
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from runtime import oci_metrics, scheduler, settings
from runtime.errors import UserError
from runtime.jobs import schedules
from runtime.scheduler import (
    Job,
    LastRun,
    command,
    next_job,
    read_state,
    run_job,
    state_file,
)
from tests.runtime.serving import TRACKSTACK


def _at(minute: int) -> datetime:
    return datetime(2026, 11, 20, 12, minute, tzinfo=timezone.utc)


def test_the_job_that_is_due_first_is_next() -> None:
    assert next_job({"gc": _at(20), "prune": _at(10)}) == ("prune", _at(10))
    assert next_job({"gc": _at(10), "prune": _at(10)}) == ("gc", _at(10))


def test_a_failed_job_is_tried_again_with_growing_pauses() -> None:
    codes, pauses = iter([1, 1, 0]), list[float]()
    done = run_job("gc", None, lambda: (next(codes), {"deleted": 1}), pauses.append)
    assert (done.exit_code, done.attempts, done.result) == (0, 3, {"deleted": 1})
    assert done.last_success
    assert pauses == sorted(pauses)
    assert len(pauses) == 2


def test_a_job_that_keeps_failing_keeps_the_time_of_its_last_success() -> None:
    before = LastRun("2026-11-20T00:00:00+00:00", 1.0, 0, 1, "2026-11-20T00:00:01+00:00")
    done = run_job("gc", before, lambda: (1, None), lambda _seconds: None)
    assert (done.exit_code, done.attempts) == (1, 3)
    assert done.last_success == before.last_success


def test_oci_is_told_of_a_job_that_failed_and_a_job_does_not_fail_of_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[str, int]] = []

    def tell(job: str, code: int) -> str | None:
        told.append((job, code))
        return None if code else oci_metrics.tell(job, code)

    monkeypatch.setenv("TRACKSTACK_OCI_METRICS", "ocid1.compartment.oc1..a/stack")
    monkeypatch.setenv("OCI_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(scheduler, "oci_metrics", SimpleNamespace(tell=tell))
    run_job("gc", None, lambda: (1, None), lambda _seconds: None)
    assert run_job("backup", None, lambda: (0, None)).exit_code == 0
    assert told == [("gc", 1), ("backup", 0)]
    said = capsys.readouterr().out
    assert "backup: OCI Monitoring was not told: OCIFS_IAM_TYPE=api_key: OCI gives no login" in said
    assert "gc: OCI Monitoring" not in said


def test_a_state_file_that_is_missing_or_broken_is_an_empty_one(tmp_path: Path) -> None:
    assert read_state(tmp_path) == {}
    state_file(tmp_path).parent.mkdir()
    state_file(tmp_path).write_text("{")
    assert read_state(tmp_path) == {}


@pytest.mark.slow
def test_a_real_scheduler_runs_gc_tells_how_it_went_and_ends_on_sigterm(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "TRACKSTACK_DATA_DIR": str(tmp_path),
        "TRACKSTACK_GC_SCHEDULE": "* * * * *",
    }
    subprocess.run([TRACKSTACK, "upgrade"], env=environment, check=True, timeout=60)
    scheduler = subprocess.Popen(
        [TRACKSTACK, "scheduler"], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 100
        while not state_file(tmp_path).exists():
            assert time.monotonic() < deadline, "gc did not run"
            time.sleep(0.2)
    finally:
        scheduler.send_signal(signal.SIGTERM)
    output, _ = scheduler.communicate(timeout=30)
    assert scheduler.returncode == 0
    assert "scheduler: stopped" in output
    last = json.loads(state_file(tmp_path).read_text())["gc"]
    assert (last["exit_code"], last["attempts"]) == (0, 1)
    kinds = ("runs", "logged_models", "experiments", "jobs")
    assert last["result"]["deleted"] == dict.fromkeys(kinds, 0)

    once = [TRACKSTACK, "scheduler", "--once", "gc"]
    done = subprocess.run(once, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "gc: done in" in done.stdout


@pytest.mark.slow
def test_a_killed_scheduler_takes_its_job_along(tmp_path: Path) -> None:
    environment = {**os.environ, "TRACKSTACK_DATA_DIR": str(tmp_path)}
    code = "from runtime.scheduler import Job; Job('doctor').run()"
    # A job that hangs: the server that doctor asks takes the connection and never answers.
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        parent = subprocess.Popen(
            [str(Path(TRACKSTACK).with_name("python")), "-c", code],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 30
        while not (children := psutil.Process(parent.pid).children()):
            assert time.monotonic() < deadline, "the job did not start"
            time.sleep(0.05)
        time.sleep(1)
        parent.kill()
        parent.wait()
        _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def test_backup_is_scheduled_where_it_is_asked_for() -> None:
    assert list(schedules(settings.load({}))) == ["gc", "prune"]
    given = {"TRACKSTACK_BACKUP_SCHEDULE": "0 3 * * *", "TRACKSTACK_BACKUP_DESTINATION": "/b"}
    assert schedules(settings.load(given))["backup"] == "0 3 * * *"


def test_a_backup_without_a_destination_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRACKSTACK_BACKUP_SCHEDULE", "0 3 * * *")
    with pytest.raises(UserError, match="TRACKSTACK_BACKUP_DESTINATION"):
        CliRunner().invoke(command, catch_exceptions=False)


@pytest.mark.slow
def test_a_scheduled_backup_runs_with_what_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKSTACK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TRACKSTACK_BACKUP_DESTINATION", str(tmp_path / "backups"))
    monkeypatch.setenv("TRACKSTACK_BACKUP_KEEP", "1")
    upgrade = subprocess.run([TRACKSTACK, "upgrade"], timeout=120, capture_output=True)
    assert upgrade.returncode == 0
    run_job("backup", None, Job("backup").run, lambda _seconds: None)
    done = run_job("backup", None, Job("backup").run, lambda _seconds: None)
    assert (done.exit_code, done.attempts) == (0, 1)
    result: Any = done.result
    assert result["rows"] > 0
    assert [path.name for path in (tmp_path / "backups").iterdir()] == [result["name"]]
