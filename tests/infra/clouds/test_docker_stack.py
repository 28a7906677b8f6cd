"""The local stack in containers: a real daemon, registry, database, TLS proxy and client."""

import contextlib
import json
import os
import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.errors import EngineError
from infra.rehearsal.system import daemon
from infra.rehearsal.system.ports import find_free_port
from infra.rehearsal.system.waiting import wait_for
from runtime.client.server import offered_authority
from tests.infra.clouds.docker.stack import Stack, readers, standing
from tests.infra.project import run_operation

pytestmark = pytest.mark.slow

_CONTAINERS = ("database", "server", "scheduler", "front")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, is_real_docker: bool) -> Generator[Stack]:
    with standing(tmp_path_factory.mktemp("containers"), is_real=is_real_docker) as made:
        yield made


@pytest.fixture
def client(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A real MLflow client that trusts the stack's own certificate authority."""
    import mlflow

    outputs = stack.engine.outputs()
    authority = stack.folder / "authority.pem"
    authority.write_text(outputs["ca_certificate"])
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", outputs["tracking_token"])
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(authority))
    assert outputs["tracking_uri"] == stack.uri
    mlflow.set_tracking_uri(stack.uri)
    return mlflow.MlflowClient()


def _changed(said: str) -> set[str]:
    """The names of the resources that an `up` made, changed or replaced, but for what waited."""
    return {
        words[2]
        for words in (line.split() for line in said.splitlines())
        if len(words) > 3 and words[1].count(":") > 1 and words[0] in ("+", "~", "+-", "++", "-+")
        if not words[2].endswith("-awaited")
    }


def test_a_client_logs_through_tls_and_token(stack: Stack, client: Any, tmp_path: Path) -> None:
    experiment = client.create_experiment("day")
    run = client.create_run(experiment)
    client.log_metric(run.info.run_id, "loss", 0.5)
    client.log_text(run.info.run_id, "hello", "notes/hello.txt")
    path = client.download_artifacts(run.info.run_id, "notes/hello.txt", str(tmp_path))
    assert Path(path).read_text() == "hello"
    assert client.get_run(run.info.run_id).data.metrics == {"loss": 0.5}


def test_without_the_token_or_the_authority_nothing_is_answered(stack: Stack, client: Any) -> None:
    url = f"{stack.uri}/api/2.0/mlflow/experiments/search?max_results=1"
    context = ssl.create_default_context(cafile=str(stack.folder / "authority.pem"))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(url, context=context)
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(url, context=ssl.create_default_context())
    # Of the proxy's files that one alone, from which people come to trust it.
    assert offered_authority(stack.uri) == stack.engine.outputs()["ca_certificate"]


def test_the_image_was_pushed_and_is_run_by_digest(stack: Stack) -> None:
    image = stack.engine.outputs()["image"]
    assert image.startswith(f"{stack.registry.address}/{stack.name}/trackstack@sha256:")
    runs = daemon.docker("image", "inspect", "--format", "{{.Id}}", image)
    assert stack.inspect("server")["Image"] == stack.inspect("scheduler")["Image"] == runs


def test_each_container_has_limits_and_no_right_that_it_does_not_need(stack: Stack) -> None:
    for name in ("server", "scheduler", "front"):
        host = stack.inspect(name)["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert host["RestartPolicy"]["Name"] == "always", name
        assert 0 < host["Memory"] <= 2 * 1024**3, name
        assert host["NanoCpus"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
    published = {name: stack.inspect(name)["HostConfig"]["PortBindings"] for name in _CONTAINERS}
    assert [name for name, ports in published.items() if ports] == ["front"]
    assert published["front"]["443/tcp"][0]["HostIp"] == "127.0.0.1"


def test_no_secret_is_in_plain_text(stack: Stack) -> None:
    outputs = stack.engine.outputs()
    kept = stack.folder / "d" / "secrets"
    texts = [outputs["tracking_token"], stack.registry.password]
    texts += [(kept / name).read_text() for name in ("database_password", "ca_key")]
    image = outputs["image"]
    shown = {
        "state": json.dumps(stack.engine.export()),
        "containers": json.dumps([stack.inspect(name) for name in _CONTAINERS]),
        "history": daemon.docker("history", "--no-trunc", image),
        "image": daemon.docker("image", "inspect", image),
        "logs": "".join(daemon.docker("logs", f"{stack.name}-{name}") for name in _CONTAINERS),
        "stack file": "".join(p.read_text() for p in stack.engine.project_dir.glob("stacks/*")),
    }
    for where, text in shown.items():
        for secret in texts:
            assert secret not in text, where
    assert {path.stat().st_mode & 0o077 for path in kept.iterdir()} == {0}


def test_a_second_up_changes_nothing_and_finds_no_drift(stack: Stack) -> None:
    assert _changed(stack.up()) == set()
    stack.engine.run("preview", "--expect-no-changes")
    drift = run_operation(stack.engine, "drift")
    assert drift.returncode == 0, drift.stdout + drift.stderr


def test_a_wrong_password_of_the_registry_is_said_before_the_build(stack: Stack) -> None:
    stack.has_password = True
    stack.configure()
    stack.set_password("wrong")
    try:
        with pytest.raises(EngineError) as failed:
            stack.engine.run("preview")
    finally:
        stack.has_password = False
        stack.configure()
    said = f"trackstack:registryPassword: {stack.registry.address} refuses the login of"
    assert said in failed.value.output


def test_a_port_of_another_container_is_said_before_anything_is_replaced(stack: Stack) -> None:
    port, name = find_free_port(), f"{stack.name}-other"
    base, publish = daemon.base_image(), f"127.0.0.1:{port}:80"
    daemon.docker("run", "--detach", "--name", name, "--publish", publish, base, "sleep", "600")
    own = stack.config["trackstack:port"]
    try:
        with pytest.raises(EngineError) as failed:
            stack.up(port=port)
    finally:
        daemon.docker("rm", "--force", name)
        stack.config["trackstack:port"] = own
        stack.configure()
    assert f"trackstack:port: {port} is held by the container {name}" in failed.value.output


def test_gc_and_prune_run_on_schedule_inside(stack: Stack, client: Any) -> None:
    experiment = client.create_experiment("deleted")
    client.delete_experiment(experiment)

    def is_purged() -> bool:
        names = {e.name for e in client.search_experiments(view_type=3)}
        return "deleted" not in names

    wait_for(is_purged, "gc on schedule", 180)
    wait_for(lambda: {"gc", "prune"} <= stack.jobs().keys(), "both jobs", 180)
    assert {name: run["exit_code"] for name, run in stack.jobs().items()} == {"gc": 0, "prune": 0}


@pytest.mark.parametrize("name", _CONTAINERS)
def test_a_container_whose_process_dies_is_back(stack: Stack, client: Any, name: str) -> None:
    before = stack.inspect(name)["State"]
    os.kill(before["Pid"], signal.SIGKILL)
    wait_for(
        lambda: (
            stack.inspect(name)["State"]["StartedAt"] != before["StartedAt"]
            and stack.is_healthy(name)
        ),
        f"{name} is back",
        180,
    )
    wait_for(lambda: _answers(client), "the server answers", 120)


def _answers(client: Any) -> bool:
    with contextlib.suppress(Exception):
        return bool(client.search_experiments(max_results=1))
    return False


def test_what_docker_kill_stops_an_up_starts_again(stack: Stack, client: Any) -> None:
    for name in _CONTAINERS:
        daemon.docker("kill", f"{stack.name}-{name}")
    stack.engine.run("up", "--refresh")
    assert all(stack.is_healthy(name) for name in _CONTAINERS)
    # `up` has waited: nobody need wait any more.
    assert _answers(client)
    assert client.get_experiment_by_name("day")


def test_a_changed_key_replaces_only_what_it_must(stack: Stack, client: Any) -> None:
    with readers(stack) as unharmed:
        assert _changed(stack.up(pruneSchedule="0 3 * * *")) == {"scheduler"}
    assert {answer.status for answer in unharmed} == {200}
    with readers(stack) as delayed:
        assert _changed(stack.up(workers=1)) == {"server"}
    # The proxy keeps them until the new one is there, but for one that the old one broke off.
    assert [answer.status for answer in delayed].count(200) >= len(delayed) - 1 > 0
    assert _answers(client)
    before = {name: stack.inspect(name)["Id"] for name in _CONTAINERS}
    limit = stack.inspect("server")["HostConfig"]["Memory"]
    stack.up(memory=3)
    assert {name: stack.inspect(name)["Id"] for name in _CONTAINERS} == before
    assert stack.inspect("server")["HostConfig"]["Memory"] == limit + 1024**3


def test_a_server_that_cannot_start_ends_up_at_once_and_each_time(stack: Stack) -> None:
    began = time.monotonic()
    for _ in range(2):
        # There is no Python: the process ends as it starts.
        with pytest.raises(EngineError) as failed:
            stack.up(environment={"PYTHONHOME": "/nowhere"})
        assert "ended with exit code" in failed.value.output
        assert "Fatal Python error" in failed.value.output
    assert time.monotonic() - began < 120
    stack.config.pop("trackstack:environment")
    stack.up()
    drift = run_operation(stack.engine, "drift")
    assert drift.returncode == 0, drift.stdout + drift.stderr


def test_a_network_that_was_taken_away_comes_back_with_make_up(stack: Stack) -> None:
    daemon.docker("network", "disconnect", stack.name, f"{stack.name}-scheduler")
    assert run_operation(stack.engine, "drift").returncode == 2
    done = run_operation(stack.engine, "up")
    assert done.returncode == 0, done.stdout + done.stderr
    networks = stack.inspect("scheduler")["NetworkSettings"]["Networks"]
    assert list(networks) == [stack.name]
    assert "scheduler" in networks[stack.name]["Aliases"]


def test_destroy_leaves_the_data_and_the_next_up_finds_them(
    stack: Stack, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = stack.engine.outputs()["tracking_token"]
    client.create_experiment("kept")
    stack.engine.destroy()
    left = stack.left()
    assert (left["container"], left["network"]) == ([], [])
    assert sorted(left["volume"]) == [f"{stack.name}-data", f"{stack.name}-database"]
    # Nobody is logged in now, but by the stack file.
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    stack.has_password = True
    stack.up(keepData=False)
    assert stack.engine.outputs()["tracking_token"] == token
    assert client.get_experiment_by_name("kept")
    stack.engine.destroy()
    assert stack.left() == {"container": [], "network": [], "volume": []}
    assert not (stack.folder / "d" / "secrets").exists()
