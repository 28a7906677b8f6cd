"""/metrics: what it tells, to whom, and that all workers' counts meet."""

import re
import time
from pathlib import Path

import pytest

from infra.rehearsal.system.waiting import wait_for
from runtime.jobs.scheduler import LastRun
from runtime.metrics import area_of, build_info, job_families, rows_of
from tests.runtime.serving import Serving, serving


def test_paths_fall_into_a_few_areas() -> None:
    assert area_of("/api/2.0/mlflow/runs/log-batch") == "api"
    assert area_of("/api/2.0/mlflow-artifacts/artifacts/1/a") == "artifacts"
    assert area_of("/v1/traces") == "traces"
    assert {area_of(f"/x{number}") for number in range(100)} == {"other"}


def test_rows_and_bytes_are_read_from_what_jobs_print() -> None:
    assert rows_of({"deleted": {"runs": 2, "experiments": 1}}) == {"rows": 3}
    assert rows_of({"rows": 5, "bytes": 7, "deleted": ["old"]}) == {"rows": 5, "bytes": 7}
    foreseen = {"dry_run": True, "deleted": {"runs": 2, "experiments": 1}}
    assert rows_of(foreseen) == {"rows": 0, "would_delete": 3}
    assert rows_of(None) == rows_of("?") == rows_of({"rows": "many"}) == {}


def test_a_job_that_never_succeeded_has_no_time_of_success() -> None:
    run = LastRun("2026-11-20T00:00:00+00:00", 1.5, 1, 3, None)
    samples = {s.name: s.value for family in job_families({"gc": run}) for s in family.samples}
    assert samples["trackstack_job_last_exit_code"] == 1
    assert samples["trackstack_job_last_duration_seconds"] == 1.5
    assert "trackstack_job_last_success_timestamp_seconds" not in samples


def test_what_runs_is_told_with_its_image() -> None:
    [sample] = build_info("registry.example/t@sha256:1").samples
    assert sample.labels["image"] == "registry.example/t@sha256:1"
    assert sample.labels["mlflow"]
    assert build_info(None).samples[0].labels["image"] == ""


def _value(server: Serving, pattern: str) -> float | None:
    answer = server.request("GET", "/metrics", server.token)
    assert answer.status == 200
    found = re.search(rf"^{pattern} (\S+)$", answer.body.decode(), re.MULTILINE)
    return float(found.group(1)) if found else None


def _settled(server: Serving, pattern: str) -> float:
    """The value, once it no longer changes."""
    last = _value(server, pattern)
    while True:
        time.sleep(0.5)
        value = _value(server, pattern)
        if value == last:
            return value or 0
        last = value


@pytest.mark.slow
def test_metrics_need_a_token_and_tell_of_all_workers(tmp_path: Path) -> None:
    state = tmp_path / "state" / "jobs.json"
    state.parent.mkdir()
    state.write_text(
        '{"gc": {"started": "2026-11-20T00:00:00+00:00", "seconds": 2.5, "exit_code": 0, '
        '"attempts": 1, "last_success": "2026-11-20T00:00:02+00:00", '
        '"result": {"deleted": {"runs": 4}}}}'
    )
    with serving(tmp_path) as server:
        assert server.request("GET", "/metrics").status == 401
        reader = server.run("token", "add", "reader", "--role", "read")
        assert reader.returncode == 0, reader.stderr
        server.wait_until(reader.stdout.split()[-1], 200)

        path = "/api/2.0/mlflow/experiments/search?max_results=1"
        sample = r'trackstack_http_requests_total\{area="api",method="GET",status="200"\}'
        # A request is counted when its answer has gone: those of above may not be yet.
        before = _settled(server, sample)
        for _ in range(40):
            server.request("GET", path, server.token)
        wait_for(lambda: _value(server, sample) == before + 40, "every worker's requests")
        count = r'trackstack_http_request_duration_seconds_count\{area="api"\}'
        assert (_value(server, count) or 0) >= 40
        assert _value(server, r'trackstack_entities\{kind="experiments",stage="active"\}') == 1
        assert _value(server, r'trackstack_entities\{kind="tokens",stage="active"\}') == 1
        assert _value(server, "trackstack_store_up") == 1
        assert _value(server, r'trackstack_job_last_rows\{job="gc"\}') == 4
        assert _value(server, r'trackstack_job_last_duration_seconds\{job="gc"\}') == 2.5
        page = server.request("GET", "/metrics", server.token).body.decode()
    assert server.token not in page
