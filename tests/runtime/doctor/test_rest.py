"""What doctor says of versions, disks, backups and tokens; and that cures work where they stand."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from runtime.client.status import lines
from runtime.client.versions import apart, installed
from runtime.doctor import cures
from runtime.doctor.kept import aged, backups, disks, room
from runtime.doctor.told import expiring, jobs_by_server
from runtime.jobs.runs import JobState
from runtime.settings import load

_NOW = datetime(2026, 11, 26, 6, 47, tzinfo=timezone.utc)
_NIGHTLY = "30 1 * * *"
_GIB = 1 << 30


@pytest.mark.parametrize(
    ("client", "server", "is_apart"),
    [
        ("3.17.2", "3.17.0", False),
        ("3.16.1", "3.17.2", False),
        ("3.18.0rc1", "3.17.2", False),
        ("3.15.0", "3.17.2", True),
        ("3.19.0", "3.17.2", True),
        ("2.22.1", "3.0.0", True),
        ("", "3.17.2", False),
        ("3.17.2", "a page", False),
    ],
)
def test_a_client_may_be_one_minor_version_apart(client: str, server: str, is_apart: bool) -> None:
    assert bool(apart(client, server)) == is_apart


def test_a_client_that_is_apart_is_told_what_to_install() -> None:
    said = apart("3.12.0", "3.17.2")
    assert said == "MLflow 3.12.0 here, 3.17.2 on the server: pip install 'mlflow~=3.17.0'"


def test_a_disk_with_less_than_a_gibibyte_is_nearly_full(tmp_path: Path) -> None:
    assert room("disk", tmp_path, 2 * _GIB).well
    full = room("disk", tmp_path, _GIB // 2)
    assert (full.well, "0.5 GiB free" in full.found) == (False, True)


def test_the_disks_of_artifacts_and_backups_are_looked_at_where_they_are_others() -> None:
    data = {"TRACKSTACK_DATA_DIR": "/tmp"}
    assert disks(load(data)) == []
    assert disks(load({**data, "MLFLOW_ARTIFACTS_DESTINATION": "s3://bucket/a"})) == []
    # Each is a file system of its own on Linux.
    others = {"MLFLOW_ARTIFACTS_DESTINATION": "/dev/shm", "TRACKSTACK_BACKUP_DESTINATION": "/proc"}
    found = disks(load({**data, **others}))
    assert [finding.found.split(",")[0] for finding in found] == ["/dev/shm", "/proc"]
    assert not found[1].well, "/proc has no room"


@pytest.mark.parametrize(
    ("newest", "since", "well"),
    [
        (timedelta(hours=5), timedelta(days=90), True),
        (timedelta(hours=29), timedelta(days=90), True),
        (timedelta(hours=53), timedelta(days=90), False),
        (timedelta(days=9), timedelta(days=90), False),
        (None, timedelta(hours=20), True),
        (None, timedelta(days=9), False),
    ],
)
def test_a_backup_may_be_missed_once(
    newest: timedelta | None, since: timedelta, well: bool
) -> None:
    settings = load({"TRACKSTACK_STACK": "prod"})
    state = JobState("backup", _NIGHTLY, _NOW - since, None, None)
    found = aged(settings, "/b", _NOW - newest if newest else None, state, _NOW)
    assert found.well == well, found
    if not well:
        cure = 'make one: make run STACK=prod ARGS="backup"; then see make logs STACK=prod'
        assert found.advice == cure


def test_the_newest_whole_backup_counts(tmp_path: Path) -> None:
    for name, is_whole in (("20261126T013000Z-3fa2", True), ("20261126T020000Z-3fa2", False)):
        (tmp_path / name).mkdir()
        if is_whole:
            (tmp_path / name / "manifest.json").write_text("{}")
    settings = load({"TRACKSTACK_BACKUP_DESTINATION": str(tmp_path)})
    state = JobState("backup", _NIGHTLY, _NOW - timedelta(days=90), None, None)
    [found] = backups(settings, [state], _NOW)
    assert (found.well, found.found) == (True, f"{tmp_path}, the newest of 2026-11-26 01:30 UTC")
    assert backups(settings, [], _NOW) == [], "none is scheduled"


def _token(name: str, days: float | None, **more: object) -> dict[str, object]:
    end = None if days is None else f"{_NOW + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
    return {"name": name, "owner": None, "role": "write", "expires": end, "valid": True} | more


def test_a_shared_token_that_ends_within_a_week_is_told() -> None:
    settings = load({"TRACKSTACK_STACK": "local"})
    well = [_token("ci", None), _token("nightly", 30), _token("own", 1, owner="ada")]
    assert expiring(settings, [*well, _token("old", -1, valid=False)], _NOW).well
    found = expiring(settings, [*well, _token("etl", 3)], _NOW)
    assert (found.well, found.found) == (False, "etl ends 2026-11-29")
    assert "make token NAME=etl-2 ROLE=write EXPIRES=90d" in found.advice


def test_the_server_tells_of_its_jobs_where_the_store_is_not_at_hand() -> None:
    gc = {
        "name": "gc",
        "schedule": "*/10 * * * *",
        "next": "2026-11-26T06:50:00Z",
        "last": "2026-11-26T06:40:01+00:00",
        "running_since": None,
        "exit_code": 0,
        "overdue": False,
    }
    settings = load({"TRACKSTACK_STACK": "azure-dev"})
    assert jobs_by_server(settings, {"jobs": [gc]}, _NOW).well
    late = jobs_by_server(settings, {"jobs": [{**gc, "overdue": True}]}, _NOW)
    assert (late.well, "make up STACK=azure-dev" in late.advice) == (False, True)
    failed = jobs_by_server(settings, {"jobs": [{**gc, "exit_code": 1}]}, _NOW)
    assert (failed.well, "exit code 1" in failed.found) == (False, True)


def test_cures_are_commands_of_the_place_where_they_stand() -> None:
    of_local, of_prod = load({"TRACKSTACK_STACK": "local"}), load({"TRACKSTACK_STACK": "prod"})
    assert cures.run(of_local, "upgrade") == 'make run ARGS="upgrade"'
    assert cures.run(of_prod, "upgrade") == 'make run STACK=prod ARGS="upgrade"'
    assert cures.run(load({}), "upgrade") == "trackstack upgrade"
    assert cures.start(of_prod).startswith("make up STACK=prod")


def test_a_laptop_is_told_where_its_mlflow_is_apart() -> None:
    said: dict[str, Any] = {
        "stack": "",
        "trackstack": "1",
        "schema": "s",
        "jobs": [],
        "problems": [],
    }
    of_old = lines("https://m", {**said, "mlflow": "1.30.0"})
    assert of_old[-1].endswith("1.30.0 on the server: pip install 'mlflow~=1.30.0'")
    assert len(lines("https://m", {**said, "mlflow": installed()})) == 1
