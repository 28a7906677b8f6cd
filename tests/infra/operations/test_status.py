"""What `make up` and `make status` say: of deletions and backups, and what the server tells."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.operations.status import backups, deletions, problems_of, show, told
from infra.plan.environment import retention
from infra.settings import parse
from runtime.jobs.schedules import schedules
from tests.runtime.access.people.site import STACK, made, served


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (
            {},
            "what users deleted 30 days ago, every 10 minutes (gcTtl: never stops it); "
            "prune only reports (pruneAction: report)",
        ),
        (
            {"gcTtl": "12h", "gcSchedule": "0 3 * * 0", "pruneSchedule": "never"},
            "what users deleted 12h ago, at '0 3 * * 0' UTC (gcTtl: never stops it); "
            "prune never runs (pruneSchedule: never)",
        ),
        (
            {"pruneAction": "delete", "entityTtlDays": "90", "gcSchedule": "* * * * *"},
            "what users deleted 30 days ago, every minute (gcTtl: never stops it); "
            "what nobody used for 90 days, daily at 00:00 UTC after 7 days in its "
            "reports (pruneAction: report stops it)",
        ),
        (
            {"gcTtl": "never", "pruneAction": "delete", "entityTtlDays": "never"},
            "nothing that users deleted (gcTtl: never); nothing is stale (entityTtlDays: never)",
        ),
        (
            {"gcSchedule": "*/45 * * * *", "gcTtl": "24h", "pruneSchedule": "never"},
            "what users deleted 1 day ago, at '*/45 * * * *' UTC (gcTtl: never stops it); "
            "prune never runs (pruneSchedule: never)",
        ),
        (
            {"gcSchedule": "never", "gcTtl": "1.5d"},
            "nothing that users deleted (gcSchedule: never); "
            "prune only reports (pruneAction: report)",
        ),
    ],
)
def test_one_line_says_what_is_deleted_when_and_how_to_stop_it(
    keys: dict[str, str], says: str
) -> None:
    settings = parse({"cloud": "local", **keys})
    outputs = {"schedules": schedules(settings), "retention": retention(settings)}
    assert deletions(outputs) == f"\nDeletes   {says}"


def test_a_stack_of_an_older_version_says_nothing_of_it() -> None:
    assert deletions({"schedules": {}}) == ""
    assert backups({"schedules": {}}) == ""


_BESIDE = ", beside the data themselves; backupDestination names another place"
_STOPS = " (backupSchedule: never stops it)"


def _backups(keys: dict[str, str], to: str, artifacts: str, store: str) -> str:
    outputs = {"schedules": schedules(parse({"cloud": "local", **keys}))}
    places = {"artifacts_destination": artifacts, "backend_store": store}
    return backups({**outputs, **places, "backup_destination": to}).removeprefix("\nBacks up  ")


@pytest.mark.parametrize(
    ("to", "artifacts", "store", "is_beside"),
    [
        ("/d/backups", "/d/artifacts", "sqlite:////d/store/mydb.sqlite", True),
        ("/d/backups", "/mnt/files", "sqlite:////d/store/mydb.sqlite", True),
        ("/data/backups", "/data/artifacts", "postgresql://database/mlflow", True),
        ("/mnt/usb", "/mnt/files", "sqlite:////d/store/mydb.sqlite", False),
        ("/mnt/usb", "/d/artifacts", "sqlite:////d/store/mydb.sqlite", False),
        ("s3://b/backups", "s3://b/artifacts", "mysql://m/db", True),
        ("s3://b/backups", "s3://a/artifacts", "mysql://m/db", False),
        ("wasbs://c@one.net/b", "wasbs://c@one.net/a", "mysql://m/db", True),
        ("wasbs://d@one.net/b", "wasbs://c@one.net/a", "mysql://m/db", False),
        ("s3://b/backups", "/d/artifacts", "sqlite:////d/store/mydb.sqlite", False),
    ],
)
def test_one_line_says_where_backups_go_and_when(
    to: str, artifacts: str, store: str, is_beside: bool
) -> None:
    beside = _BESIDE if is_beside else ""
    said = _backups({}, to, artifacts, store)
    assert said == f"daily at 01:30 UTC, to {to}{beside}{_STOPS}"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"keepData": "false"}, "nothing (backupSchedule: never)"),
        ({"backupSchedule": "never"}, "nothing (backupSchedule: never)"),
        ({"keepData": "false", "backupSchedule": "0 3 * * *"}, "daily at 03:00 UTC, to s3://b/c"),
    ],
)
def test_data_that_are_kept_are_backed_up_unless_the_stack_file_says_never(
    keys: dict[str, str], says: str
) -> None:
    assert _backups(keys, "s3://b/c", "/d/artifacts", "").startswith(says)


def test_a_server_that_is_down_is_not_told_to_be_up() -> None:
    outputs = {"tracking_uri": "http://127.0.0.1:9", "tracking_token": "t", "version": "trackstack"}
    problems = problems_of(outputs)
    assert problems
    assert problems[0].startswith("server: http://127.0.0.1:9")
    said = told("azure-dev", outputs, "DOWN")
    assert said.startswith("\nMLflow is DOWN at http://127.0.0.1:9")
    assert "make logs STACK=azure-dev" in said


def _outputs(uri: str) -> dict[str, Any]:
    return {"tracking_uri": uri, "tracking_token": STACK, "version": "trackstack"}


def test_what_the_server_tells_of_itself_is_said_and_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(made(tmp_path)) as uri:
        assert show("azure-dev", _outputs(uri), as_json=False) == 1
        said = capsys.readouterr()
        assert f"MLflow is up at {uri}" in said.out
        assert "database sqlite, " in said.out
        assert "disk     data, artifacts: " in said.out
        assert said.err.startswith("the store has schema none, not ")
        assert show("azure-dev", _outputs(uri), as_json=True) == 1
        printed = capsys.readouterr().out
    found = json.loads(printed)
    assert STACK not in printed
    assert (found["stack"], found["state"]) == ("azure-dev", "up")
    assert found["problems"] == found["server"]["problems"] != []
    assert show("azure-dev", _outputs(uri), as_json=True) == 1
    down = json.loads(capsys.readouterr().out)
    assert (down["state"], down["server"]) == ("DOWN", None)
