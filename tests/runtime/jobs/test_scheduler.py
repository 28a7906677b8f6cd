import json
import os
import signal
import subprocess
import time
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from runtime import doctor, settings
from runtime.errors import ALARM, UserError
from runtime.jobs import scheduler
from runtime.jobs.scheduler import (
    Job,
    LastRun,
    arguments_of,
    command,
    next_job,
    read_state,
    run_job,
    state_file,
)
from runtime.jobs.schedules import schedules
from runtime.oci import monitoring as oci_metrics
from tests import warm
from tests.runtime.serving import serving
from tests.warm import TRACKSTACK


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


def test_an_alarm_is_no_success_and_is_not_tried_again() -> None:
    done = run_job("backup", None, lambda: (ALARM, None), lambda _seconds: None)
    assert (done.exit_code, done.attempts, done.last_success) == (3, 1, None)


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
    warm.run([TRACKSTACK, "upgrade"], env=environment, check=True, timeout=60)
    scheduler = warm.Popen(
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
    done = warm.run(once, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "gc: done in" in done.stdout


@pytest.mark.slow
def test_a_killed_scheduler_takes_its_job_along(tmp_path: Path) -> None:
    environment = {**os.environ, "TRACKSTACK_DATA_DIR": str(tmp_path)}
    code = "from runtime.jobs.scheduler import Job; Job('doctor', ['doctor']).run()"
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


def test_what_is_never_due_has_no_schedule_and_a_scheduler_of_nothing_waits(
    tmp_path: Path,
) -> None:
    jobs = ("GC", "PRUNE", "BACKUP")
    never = {f"TRACKSTACK_{job}_SCHEDULE": "never" for job in jobs}
    assert schedules(settings.load(never)) == {}
    environment = {**os.environ, **never, "TRACKSTACK_DATA_DIR": str(tmp_path)}
    running = warm.Popen(
        [TRACKSTACK, "scheduler"], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout
    said = running.stdout.readline()
    running.send_signal(signal.SIGTERM)
    rest, _ = running.communicate(timeout=30)
    assert (running.returncode, "nothing is scheduled" in said) == (0, True), said + rest


def test_the_scheduled_prune_deletes_only_where_it_is_told_to() -> None:
    def of(**given: str) -> list[str]:
        return arguments_of("prune", settings.load(given))

    scheduled = ["prune", "--scheduled"]
    assert of() == of(TRACKSTACK_PRUNE_ACTION="report") == [*scheduled, "--dry-run", "--json"]
    assert of(TRACKSTACK_PRUNE_ACTION="delete") == [*scheduled, "--yes", "--json"]
    told = settings.load({"TRACKSTACK_PRUNE_ACTION": "report"})
    assert arguments_of("gc", told) == ["gc", "--json"]


@pytest.mark.slow
@pytest.mark.parametrize(("action", "left"), [("report", "active"), ("delete", "deleted")])
def test_a_real_scheduled_prune_reports_or_deletes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str, left: str
) -> None:
    with serving(tmp_path) as server:
        client = server.client(monkeypatch)
        run = client.create_run("0", start_time=1).info.run_id
        client.set_terminated(run, end_time=2)
        by_schedule = ("scheduler", "--once", "prune")
        # In an earlier report.
        server.run(*by_schedule, TRACKSTACK_PRUNE_ACTION="report")
        done = server.run(
            *by_schedule, TRACKSTACK_PRUNE_ACTION=action, TRACKSTACK_PRUNE_NOTICE="0s"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert client.get_run(run).info.lifecycle_stage == left
        result: Any = read_state(tmp_path)["prune"].result
        assert result["deleted"]["run"] == 1
        assert result["dry_run"] == (action == "report")
        page = server.request("GET", "/metrics", server.token).body.decode()
    deleted, stale = (1, 0) if action == "delete" else (0, 1)
    assert f'trackstack_job_last_rows{{job="prune"}} {deleted}.0' in page
    assert (f'trackstack_job_last_would_delete{{job="prune"}} {stale}.0' in page) == bool(stale)


def test_doctor_repeats_a_failed_job_as_its_schedule_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asdict(LastRun("2026-11-20T00:00:00+00:00", 1.0, 1, 3, None))
    state_file(tmp_path).parent.mkdir()
    state_file(tmp_path).write_text(json.dumps({"prune": failed}))
    monkeypatch.setenv("TRACKSTACK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    said = CliRunner().invoke(doctor.command).stdout
    assert "run by hand: trackstack scheduler --once prune" in said


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
    upgrade = warm.run([TRACKSTACK, "upgrade"], timeout=120, capture_output=True)
    assert upgrade.returncode == 0
    backup = Job("backup", arguments_of("backup", settings.load()))
    run_job("backup", None, backup.run, lambda _seconds: None)
    done = run_job("backup", None, backup.run, lambda _seconds: None)
    assert (done.exit_code, done.attempts) == (0, 1)
    result: Any = done.result
    assert result["rows"] > 0
    assert [path.name for path in (tmp_path / "backups").iterdir()] == [result["name"]]
