"""The status, as JSON and as a page: what the store says, for whoever may read."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from runtime.access.people.status import facts
from runtime.client.status import lines
from runtime.database.engine import open_engine
from runtime.jobs.growth import Growth
from runtime.jobs.runs import JobRuns, JobState
from runtime.settings import load
from runtime.tokens.store import Role
from tests.runtime.access.people.site import Site, made

_NOW = datetime(2026, 11, 26, 6, 47, tzinfo=timezone.utc)
_API, _PAGE = "/trackstack/api/status", "/trackstack/"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return made(tmp_path, TRACKSTACK_STACK="azure-<prod>")


def _gc(hours: float, code: int = 0) -> JobState:
    began = _NOW - timedelta(hours=hours)
    run = {"started": began.isoformat(), "exit_code": code, "result": {"deleted": {"runs": 3}}}
    return JobState("gc", "*/10 * * * *", _NOW - timedelta(days=90), None, run)


def test_what_is_not_well_is_told_and_nothing_else() -> None:
    assert facts("x", "a", "a", [_gc(0.1)], _NOW)["problems"] == []
    assert facts("x", "a", "a", [_gc(5)], _NOW)["problems"] == [
        "gc is overdue: nobody runs the schedules"
    ]
    assert facts("x", "a", "b", [_gc(0.1, 1)], _NOW)["problems"] == [
        "gc failed: exit code 1",
        "the store has schema a, not b",
    ]
    said = lines("https://a.example", facts("x", "a", "a", [_gc(5)], _NOW))
    assert said[0].startswith("https://a.example, stack x: trackstack ")
    assert "OVERDUE" in said[1]
    assert said[2].startswith("BAD gc is overdue")


def test_a_reader_sees_it_and_nobody_else(site: Site) -> None:
    reader = site.signed_in("ada", Role.READ)
    runs = JobRuns(open_engine(load({"TRACKSTACK_DATA_DIR": str(site.folder)})))
    runs.schedule({"gc": "*/10 * * * *"})
    run = {"started": "2026-11-26T06:40:00+00:00", "exit_code": 1, "result": {"rows": 7}}
    runs.end("gc", "*/10 * * * *", run)
    store = open_engine(load({"TRACKSTACK_DATA_DIR": str(site.folder)}))
    with store.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (run_uuid TEXT)")
    Growth(store).note(_NOW.date())
    status, said = site.api("GET", _API, reader)
    assert status == 200
    assert (said["growth"][0]["day"], said["growth"][0]["runs"]) == ("2026-11-26", 0)
    assert "0 runs, a database of" in "\n".join(lines("https://a.example", said))
    assert (said["stack"], said["jobs"][0]["counts"]) == ("azure-<prod>", {"rows": 7})
    for path in (_PAGE, _PAGE.rstrip("/")):
        page = site.ask("GET", path, reader)
        assert page.status == 200
        assert b"azure-&lt;prod&gt;" in page.body
        assert b"gc failed: exit code 1" in page.body
        assert b"<h2>Growth</h2>" in page.body
        assert b"<script" not in page.body
    for path in (_API, _PAGE):
        assert site.ask("GET", path, {}).status == 401
    assert site.ask("GET", "/trackstack/elsewhere", reader).status == 404
