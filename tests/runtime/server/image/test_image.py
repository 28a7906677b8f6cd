"""The runtime image, run as a platform would: read-only, no capability, nobody's user."""

import importlib
import json
import secrets
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.system.daemon import docker
from runtime import health
from runtime.settings import RuntimeSettings
from tests.runtime.server.image.container import HARDENED, Container, serving
from tests.runtime.serving import request
from tests.runtime_image import runtime_image


@pytest.fixture(scope="module")
def container() -> Generator[Container]:
    with serving("--env", "MLFLOW_TRACKING_GC_TTL=0d0h0m0s") as running:
        yield running


def test_the_health_check_reads_the_variables_that_the_server_reads() -> None:
    known = {field.alias for field in RuntimeSettings.model_fields.values()}
    assert known >= {"MLFLOW_HOST", "MLFLOW_PORT", "MLFLOW_STATIC_PREFIX"}
    assert health.target({}) == ("127.0.0.1", 5000, "/health")
    given = {"MLFLOW_HOST": "0.0.0.0", "MLFLOW_PORT": "80", "MLFLOW_STATIC_PREFIX": "/team"}
    assert health.target(given) == ("127.0.0.1", 80, "/team/health")
    assert health.target({"MLFLOW_HOST": "::", "MLFLOW_PORT": ""}) == ("::1", 5000, "/health")


@pytest.mark.slow
def test_what_clients_do_works_against_the_image(
    container: Container, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Tracking, artifacts, registry, traces and search, by the real client outside."""
    mlflow: Any = importlib.import_module("mlflow")
    client = container.client(monkeypatch)
    experiment = client.create_experiment("image")
    mlflow.set_experiment("image")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file.bin").write_bytes(secrets.token_bytes(1 << 20))
    with mlflow.start_run() as run:
        mlflow.log_params({"rate": 0.1})
        for step in range(3):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_dict({"a": 1}, "config.json")
        mlflow.log_table({"q": ["1"], "a": ["2"]}, "table.json")
        mlflow.log_artifacts(str(tmp_path), "files")
        mlflow.log_input(mlflow.data.from_numpy(_ones()), "training")
        # Named, so that the client does not look for them by loading the model elsewhere.
        named: dict[str, Any] = {"name": "model", "registered_model_name": "image-model"}
        mlflow.sklearn.log_model(_fitted(), pip_requirements=[], **named)
    back = client.download_artifacts(run.info.run_id, "files/sub/file.bin", str(tmp_path))
    assert Path(back).read_bytes() == (tmp_path / "sub" / "file.bin").read_bytes()
    assert [m.step for m in client.get_metric_history(run.info.run_id, "loss")] == [0, 1, 2]
    found = client.search_runs([experiment], "metrics.loss < 0.5 and params.rate = '0.1'")
    assert [r.info.run_id for r in found] == [run.info.run_id]
    assert client.search_logged_models([experiment])[0].name == "model"

    client.set_registered_model_alias("image-model", "Champion", "1")
    loaded: Any = mlflow.pyfunc.load_model("models:/image-model@Champion")
    assert loaded.predict(_ones()).tolist() == pytest.approx([1.0, 1.0])

    with mlflow.start_span("question", span_type="CHAIN") as span:
        span.set_inputs({"q": "?"})
    mlflow.flush_trace_async_logging()
    traces: Any = mlflow.search_traces(locations=[experiment], return_type="list")
    assert traces[0].data.spans[0].name == "question"


def _ones() -> Any:
    import numpy as np

    return np.ones((2, 1))


def _fitted() -> Any:
    dummy: Any = importlib.import_module("sklearn.dummy")
    return dummy.DummyRegressor(strategy="constant", constant=1.0).fit(_ones(), [1.0, 1.0])


@pytest.mark.slow
def test_the_user_interface_and_its_routes_answer(container: Container) -> None:
    """What the browser asks for: pages, server info, graphql, gateway, prompts, scorers."""

    def post(path: str, body: object) -> Any:
        headers = {"Content-Type": "application/json"}
        sent = json.dumps(body).encode()
        return request(container.uri + path, "POST", container.token, headers, sent)

    def get(path: str) -> Any:
        return request(container.uri + path, "GET", container.token)

    assert b'<div id="root"' in get("/").body
    for path in (
        "/version",
        "/api/3.0/mlflow/server-info",
        "/api/3.0/mlflow/gateway/endpoints/list",
        "/api/3.0/mlflow/gateway/secrets/list",
        "/api/3.0/mlflow/scorers/list?experiment_id=0",
        "/ajax-api/2.0/mlflow/experiments/search?max_results=5",
    ):
        assert get(path).status == 200, (path, get(path).body[:300])
    query = 'query { mlflowSearchRuns(input: {experimentIds: ["0"]}) { runs { info { runId } } } }'
    answer = post("/graphql", {"query": query})
    assert answer.status == 200
    assert not json.loads(answer.body)["errors"]


@pytest.mark.slow
def test_gc_in_the_container_purges_what_a_client_deleted(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = container.client(monkeypatch)
    experiment = client.create_experiment("to purge")
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "text", "note.txt")
    client.delete_run(run.info.run_id)
    client.delete_experiment(experiment)
    container.run("trackstack", "gc")
    client.create_experiment("to purge")  # the name is free again
    assert client.search_runs([experiment], run_view_type=3) == []


@pytest.mark.slow
def test_every_command_starts_in_the_image(container: Container) -> None:
    for command in ("server", "gc", "prune", "report", "upgrade", "scheduler", "token", "doctor"):
        assert "Usage: trackstack" in container.run("trackstack", command, "--help")
    findings = json.loads(container.run("trackstack", "doctor", "--json"))
    assert [f["check"] for f in findings if not f["well"]] == []


@pytest.mark.slow
def test_docker_sees_that_the_server_is_healthy_and_stops_it_cleanly() -> None:
    with serving() as server:
        deadline = time.monotonic() + 60
        state = "{{.State.Health.Status}}"
        while docker("inspect", "--format", state, server.name) != "healthy":
            assert time.monotonic() < deadline
            time.sleep(0.5)
        inside = docker("top", server.name, "-eo", "pid,args").splitlines()[1:]
        # In no order: `top` sorts by the host's numbers, which start again at some point.
        assert ["tini", "--", "trackstack", "server"] in [line.split()[1:] for line in inside]
        assert server.token not in "\n".join(inside)
        docker("stop", "--time", "30", server.name)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", server.name) == "0"


@pytest.mark.slow
def test_a_job_that_is_process_1_heeds_sigterm_and_leaves_no_zombie() -> None:
    image, name = runtime_image(), f"trackstack-test-{secrets.token_hex(4)}"
    docker("run", "--detach", "--name", name, *HARDENED, image, "scheduler")
    try:
        docker("exec", name, "sh", "-c", "(true &) ; sleep 0.2")
        states = docker("top", name, "-eo", "pid,stat,args")
        assert "Z" not in [line.split()[1][0] for line in states.splitlines()[1:]]
        docker("stop", "--time", "30", name)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", name) in ("0", "143")
    finally:
        docker("rm", "--force", "--volumes", name)


@pytest.mark.slow
def test_port_80_needs_neither_root_nor_a_capability() -> None:
    """As the published `-p 5000:80` with MLFLOW_PORT=80."""
    with serving(port=80, MLFLOW_PORT="80") as server:
        assert request(f"{server.uri}/health").status == 200
        server.run("/opt/trackstack/bin/python", "-I", "-m", "runtime.health")


@pytest.mark.slow
def test_data_outlive_the_container_on_a_named_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    volume = f"trackstack-test-{secrets.token_hex(4)}"
    try:
        with serving("--volume", f"{volume}:/data") as server:
            experiment = server.client(monkeypatch).create_experiment("kept")
        with serving("--volume", f"{volume}:/data") as server:
            assert server.client(monkeypatch).get_experiment(experiment).name == "kept"
    finally:
        docker("volume", "rm", "--force", volume)
