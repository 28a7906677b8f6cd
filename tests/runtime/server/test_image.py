"""The runtime image, run as a platform would: read-only, no capability, nobody's user."""

import importlib
import json
import secrets
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.place import ROOT
from infra.rehearsal.system.daemon import build, docker, extra_ca, registry
from runtime import health
from runtime.image import prune_dependencies as slim
from runtime.settings import RuntimeSettings
from tests.runtime.serving import request, wait_until_ready
from tests.runtime_image import runtime_image

HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--user", "10001")
LEFT_OUT = ("matplotlib", "pyarrow", "sklearn", "scipy", "skops")


@dataclass(frozen=True)
class Container:
    """A server in a container of the image."""

    name: str
    uri: str
    token: str

    def run(self, *command: str) -> str:
        """Run a program inside."""
        return docker("exec", self.name, *command)

    def client(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """The real MLflow client, outside."""
        mlflow: Any = importlib.import_module("mlflow")
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", self.token)
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return mlflow.MlflowClient()


@contextmanager
def serving(*options: str, port: int = 5000, **environment: str) -> Generator[Container]:
    """`docker run` of the image, hardened, its port published on loopback."""
    name, token = f"trackstack-test-{secrets.token_hex(4)}", secrets.token_urlsafe(32)
    variables = {"MLFLOW_TRACKING_TOKEN": token, "MLFLOW_WORKERS": "1", **environment}
    given = [flag for key, value in variables.items() for flag in ("--env", f"{key}={value}")]
    published = ("--publish", f"127.0.0.1::{port}")
    docker(
        "run", "--detach", "--name", name, *HARDENED, *published, *given, *options, runtime_image()
    )
    try:
        uri = f"http://{docker('port', name, str(port)).splitlines()[0]}"
        try:
            wait_until_ready(uri)
        except TimeoutError:
            raise RuntimeError(docker("logs", name)) from None
        yield Container(name, uri, token)
    finally:
        docker("rm", "--force", "--volumes", name)


@pytest.fixture(scope="module")
def container() -> Generator[Container]:
    with serving("--env", "MLFLOW_TRACKING_GC_TTL=0d0h0m0s") as running:
        yield running


def _python(code: str) -> str:
    """Run Python in a container of the image."""
    image = runtime_image()
    return docker(
        "run", "--rm", *HARDENED, "--entrypoint", "/opt/trackstack/bin/python", image, "-c", code
    )


def _layers(tag: str) -> list[str]:
    return json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", tag))


def test_the_health_check_reads_the_variables_that_the_server_reads() -> None:
    known = {field.alias for field in RuntimeSettings.model_fields.values()}
    assert known >= {"MLFLOW_HOST", "MLFLOW_PORT", "MLFLOW_STATIC_PREFIX"}
    assert health.target({}) == ("127.0.0.1", 5000, "/health")
    given = {"MLFLOW_HOST": "0.0.0.0", "MLFLOW_PORT": "80", "MLFLOW_STATIC_PREFIX": "/team"}
    assert health.target(given) == ("127.0.0.1", 80, "/team/health")
    assert health.target({"MLFLOW_HOST": "::", "MLFLOW_PORT": ""}) == ("::1", 5000, "/health")


def test_only_what_mlflow_asks_for_can_be_left_out() -> None:
    from importlib import metadata

    asked = metadata.requires("mlflow") or []
    plain = [line for line in asked if "extra ==" not in line]
    assert len([line for line in slim.kept(asked) if "extra ==" not in line]) == len(plain) - len(
        slim.UNUSED
    )
    with pytest.raises(ValueError, match="pyarrow"):
        slim.kept([line for line in asked if not line.startswith("pyarrow")])


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
        mlflow.sklearn.log_model(_fitted(), name="model", registered_model_name="image-model")
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
def test_what_is_left_out_is_not_there_and_every_module_of_the_server_imports() -> None:
    code = f"""
import importlib, importlib.util, pkgutil
assert not [n for n in {LEFT_OUT} if importlib.util.find_spec(n)]
import mlflow.server, mlflow.store.tracking, mlflow.gateway, runtime
parts = mlflow.server, mlflow.store.tracking, mlflow.store.model_registry, mlflow.gateway, runtime
missing = []
for part in parts:
    for module in pkgutil.walk_packages(part.__path__, part.__name__ + "."):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            missing.append((module.name, error.name))
        except (Exception, SystemExit):
            pass
print([m for m in missing if m[1] in {LEFT_OUT}])
"""
    assert _python(code) == "[]"


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


@pytest.mark.slow
def test_a_build_without_cache_gives_the_same_layers() -> None:
    again = f"trackstack/runtime:again-{secrets.token_hex(4)}"
    build(again, cache=False)
    try:
        assert _layers(again) == _layers(runtime_image())
    finally:
        docker("rmi", again)


@pytest.fixture(scope="module")
def custom_image() -> Generator[str]:
    """Built with every argument; trusts the registry's private CA."""
    tag = f"trackstack/runtime:custom-{secrets.token_hex(4)}"
    arguments = {
        "EXTRAS": "",
        "EXTRA_PACKAGES": "prometheus-flask-exporter",
        "EXTRA_CA": extra_ca() + registry().ca_file.read_text(),
        "VERSION": "1.2.3",
        "REVISION": "abc123",
    }
    build(tag, arguments)
    yield tag
    docker("rmi", tag)


@pytest.mark.slow
def test_extras_packages_and_labels_are_as_asked(custom_image: str) -> None:
    code = (
        "import importlib.util as u, prometheus_flask_exporter\n"
        "print([n for n in ('psycopg2', 'mysql', 'sklearn') if u.find_spec(n)])"
    )
    run = ("run", "--rm", "--entrypoint", "/opt/trackstack/bin/python")
    assert docker(*run, custom_image, "-c", code) == "[]"
    shown = docker("image", "inspect", "--format", "{{json .Config.Labels}}", custom_image)
    labels = json.loads(shown)
    assert labels["org.opencontainers.image.version"] == "1.2.3"
    assert labels["org.opencontainers.image.revision"] == "abc123"


@pytest.mark.slow
def test_an_extra_ca_is_trusted_where_it_was_built_in_and_nowhere_else(custom_image: str) -> None:
    code = (
        "import requests\n"
        f"try: print(requests.get('https://{registry().address}/v2/', timeout=20).status_code)\n"
        "except requests.exceptions.SSLError: print('not trusted')"
    )
    run = ("run", "--rm", "--network", "host", "--entrypoint", "/opt/trackstack/bin/python")
    assert docker(*run, custom_image, "-c", code) == "401"
    assert docker(*run, runtime_image(), "-c", code) == "not trusted"


@pytest.mark.slow
def test_what_else_lies_in_the_checkout_does_not_reach_the_image(tmp_path: Path) -> None:
    """A stray secret changes no layer."""
    for name in (".dockerignore", "pyproject.toml", "requirements.lock"):
        shutil.copy2(ROOT / name, tmp_path / name)
    sources = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "runtime", tmp_path / "runtime", ignore=sources)
    for stray in (
        "passphrase",
        ".env",
        "runtime/.env",
        "runtime/gc/oci.key",
        "runtime/__pycache__/x",
    ):
        (tmp_path / stray).parent.mkdir(exist_ok=True)
        (tmp_path / stray).write_text(secrets.token_hex(16))
    tag = f"trackstack/runtime:stray-{secrets.token_hex(4)}"
    build(tag, context=tmp_path)
    try:
        assert _layers(tag) == _layers(runtime_image())
    finally:
        docker("rmi", tag)


@pytest.mark.slow
def test_no_secret_is_in_the_history_the_environment_or_the_files() -> None:
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", runtime_image())
    environment = docker("image", "inspect", "--format", "{{json .Config.Env}}", runtime_image())
    for text in (history, environment):
        assert not [w for w in ("PRIVATE KEY", "PASSWORD=", "TOKEN=", "SECRET=") if w in text]
    listed = _python(
        "import pathlib\n"
        "own = pathlib.Path('/opt/trackstack')\n"
        "print([str(p) for p in own.rglob('*') if p.name in ('.git', '.trackstack', 'stacks')"
        " or p.suffix == '.key' or p.name.startswith('Pulumi.')])"
    )
    assert listed == "[]"
