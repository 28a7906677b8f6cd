"""The status, as JSON and as a page: what the store says, for whoever may read."""

import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from runtime.access.status.answers import disks_of
from runtime.access.status.certificate import Certificate
from runtime.access.status.facts import Disk, Seen, Store, facts, retention
from runtime.client.status import details, lines
from runtime.database.engine import open_engine
from runtime.jobs.growth import Growth
from runtime.jobs.runs import JobRuns, JobState
from runtime.settings import load
from runtime.tokens.store import Role
from tests.runtime.access.people.site import STACK, TOKENS, Site, bearer, made
from tests.runtime.doctor.answering import answering

_NOW = datetime(2026, 11, 26, 6, 47, tzinfo=timezone.utc)
_API, _PAGE = "/trackstack/api/status", "/trackstack/"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return made(tmp_path, TRACKSTACK_STACK="azure-<prod>")


def _gc(hours: float, code: int = 0) -> JobState:
    began = _NOW - timedelta(hours=hours)
    run = {"started": began.isoformat(), "exit_code": code, "result": {"deleted": {"runs": 3}}}
    return JobState("gc", "*/10 * * * *", _NOW - timedelta(days=90), None, run)


def _problems(*states: JobState, has: str = "a", **seen: Any) -> list[str]:
    return facts(Seen(_NOW, "x", Store(has, "a", states), **seen))["problems"]


def test_what_is_not_well_is_told_and_nothing_else() -> None:
    well = Disk(("data",), 1 << 30, 1 << 40)
    ends = _NOW + timedelta(days=15)
    assert _problems(_gc(0.1), disks=[well], certificate_ends=ends) == []
    assert _problems(_gc(5)) == ["gc is overdue: nobody runs the schedules"]
    assert _problems(_gc(0.1, 1), has="b") == [
        "gc failed: exit code 1",
        "the store has schema b, not a",
    ]
    assert _problems(disks=[well, Disk(("artifacts", "backups"), 7 << 20, 1 << 40)]) == [
        "the disk of artifacts, backups is full but for 7 MiB"
    ]
    assert _problems(certificate_ends=_NOW + timedelta(days=14)) == [
        "the certificate ends 2026-12-10"
    ]
    assert _problems(certificate_ends=_NOW) == ["the certificate ended 2026-11-26"]
    said = lines("https://a.example", facts(Seen(_NOW, "x", Store("a", "a", [_gc(5)]))))
    assert said[0].startswith("https://a.example, stack x: trackstack ")
    assert "OVERDUE" in said[1]
    assert said[-1].startswith("BAD gc is overdue")


def test_a_store_that_does_not_answer_is_told_with_what_is_known_without_it() -> None:
    seen = facts(Seen(_NOW, "x", "OperationalError", [Disk(("data",), 1 << 40, 1 << 41)]))
    [problem] = seen["problems"]
    assert problem.startswith("the backend store does not answer (OperationalError)")
    assert (seen["schema"], seen["jobs"], seen["disks"][0]["holds"]) == (None, [], ("data",))
    assert "disk     data: 1024.0 of 2048.0 GiB free" in lines("https://a.example", seen)


def _pruned(**result: Any) -> dict[str, Any] | None:
    run = {"started": "2026-11-26T00:00:00+00:00", "exit_code": 0, "result": result}
    return retention([JobState("prune", "0 0 * * *", _NOW, None, run if result else None)])


def test_what_prune_deletes_next_is_told_with_when_and_how_to_stop_it() -> None:
    def said(found: dict[str, Any] | None) -> str:
        return dict(details({"retention": found}))["deletes"]

    assert _pruned() is None
    assert retention([_gc(1)]) is None
    deleted = {"run": 4, "experiment": 1}
    report = _pruned(dry_run=True, deleted=deleted, waiting=5)
    assert said(report) == (
        "nothing: 5 stale in prune's report of 2026-11-26T00:00:00Z, and it only reports "
        "(pruneAction: report)"
    )
    coming = {
        "at": "2026-12-01T00:00:00Z",
        "counts": {"run": 3, "experiment": 1, "registered model": 0},
    }
    found = _pruned(dry_run=False, deleted=deleted, waiting=9, coming=coming)
    assert found
    assert (found["stale"], found["next"], found["counts"]) == (
        9,
        "2026-12-01T00:00:00Z",
        {"run": 3, "experiment": 1},
    )
    assert said(found).startswith("from 2026-12-01T00:00:00Z on 3 runs, 1 experiment, of 9 stale")
    assert "trackstack.keep=true" in said(found)
    assert "pruneAction: report" in said(found)
    # A report of an earlier version.
    assert said(_pruned(dry_run=False, deleted=deleted, waiting=9)).startswith("nothing soon: 9")


def test_only_who_may_see_tokens_sees_the_names_of_those_that_end(site: Site) -> None:
    site.shared.add("nightly-ci", Role.WRITE, timedelta(days=3))
    site.shared.add("later", Role.WRITE, timedelta(days=8))
    ada, grace = site.signed_in("ada", Role.ADMIN), site.signed_in("grace", Role.READ)
    for name, expires in (("short", "12h"), ("long", "3d")):
        assert site.api("POST", TOKENS, grace, name=name, expires=expires)[0] == 201
    seen = {who: site.api("GET", _API, who_is)[1] for who, who_is in (("a", ada), ("g", grace))}
    for said in seen.values():
        assert said["problems"][1:] == ["shared tokens that end within a week: 1"]
    [shared], [own] = seen["a"]["tokens_ending"], seen["g"]["tokens_ending"]
    assert (shared["name"], shared["owner"]) == ("nightly-ci", None)
    assert (own["name"], own["owner"]) == ("short", "grace")
    assert b"nightly-ci" in site.ask("GET", _PAGE, ada).body
    assert b"nightly-ci" not in site.ask("GET", _PAGE, grace).body


def test_the_end_of_the_certificate_is_that_which_users_see(tmp_path: Path) -> None:
    with answering(tmp_path) as (port, certificate):
        uri = f"https://127.0.0.1:{port}"
        proxied = Certificate(load({"TRACKSTACK_PUBLIC_URL": uri}))
        ends = proxied.ends()
    assert ends is not None
    assert timedelta(days=29) < ends - datetime.now(timezone.utc) < timedelta(days=31)
    assert Certificate(load({"TRACKSTACK_TLS_CERT_FILE": str(certificate)})).ends() == ends
    assert proxied.ends() == ends, "it is not asked again at each look"
    assert Certificate(load({"TRACKSTACK_PUBLIC_URL": uri})).ends() is None
    assert Certificate(load({})).ends() is None


def test_each_disk_is_told_once_with_what_lies_on_it(site: Site) -> None:
    settings = load(
        {
            "TRACKSTACK_DATA_DIR": str(site.folder),
            "TRACKSTACK_BACKUP_DESTINATION": str(site.folder / "not there yet"),
        }
    )
    [disk] = disks_of(settings)
    assert disk.holds == ("data", "artifacts")
    assert 0 < disk.free_bytes < disk.total_bytes
    elsewhere = load(
        {
            "TRACKSTACK_DATA_DIR": str(site.folder),
            "MLFLOW_ARTIFACTS_DESTINATION": "s3://bucket/artifacts",
            "TRACKSTACK_BACKUP_DESTINATION": "/dev/shm",
        }
    )
    assert [each.holds for each in disks_of(elsewhere)] == [("data",), ("backups",)]


def test_a_broken_database_is_a_fact_and_no_error(site: Site) -> None:
    with sqlite3.connect(site.folder / "store" / "mydb.sqlite") as database:
        database.execute("CREATE TABLE trackstack_jobs (another INTEGER)")
    status, said = site.api("GET", _API, bearer(STACK))
    assert status == 200
    assert said["problems"] == [
        "the backend store does not answer (OperationalError): `trackstack doctor` says why"
    ]
    page = site.ask("GET", _PAGE, bearer(STACK))
    assert page.status == 200
    assert b"the backend store does not answer" in page.body


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
    assert said["database"]["kind"] == "sqlite"
    assert said["database"]["bytes"] >= said["growth"][0]["bytes"] > 0
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
