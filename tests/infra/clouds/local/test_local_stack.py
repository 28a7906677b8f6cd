"""The local stack, end to end as a user has it: the real engine, server and MLflow client."""

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.rehearsal.errors import EngineError
from infra.rehearsal.system.ports import find_free_port
from infra.rehearsal.system.waiting import wait_for
from tests import warm
from tests.infra.clouds.local.stack import Stack
from tests.infra.project import configure
from tests.runtime.serving import request, wait_until_ready

pytestmark = pytest.mark.slow

_SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stack]:
    made = Stack(tmp_path_factory.mktemp("e2e"))
    try:
        made.up()
        yield made
    finally:
        made.engine.destroy(check=False)


def _changed(said: str) -> set[str]:
    """The names of the resources that an `up` made, changed or replaced."""
    return {
        words[2]
        for words in (line.split() for line in said.splitlines())
        if len(words) > 3 and words[0] != "-" and ":Local" in words[1]
    }


def test_the_outputs_are_those_of_every_cloud(stack: Stack) -> None:
    outputs = stack.engine.outputs()
    assert outputs["tracking_uri"] == outputs["registry_uri"] == stack.uri
    assert outputs["tracking_token"] == stack.token
    assert outputs["artifacts_destination"] == str(stack.data_dir / "artifacts")
    assert outputs["backend_store"] == f"sqlite:///{stack.data_dir}/store/mydb.sqlite"
    assert outputs["schedules"] == {
        "gc": "*/10 * * * *",
        "prune": "0 0 * * *",
        "backup": "30 1 * * *",
    }
    assert outputs["retention"].pop("prune_notice") == "7d"
    retention = {"gc_ttl": "30d0h0m0s", "prune_action": "report", "entity_ttl_days": "30"}
    assert outputs["retention"] == retention
    assert "mlflow 3.17.2" in outputs["version"]
    assert str(stack.data_dir) in outputs["logs"]


def test_the_token_is_in_no_plain_text_but_its_own_file(stack: Stack) -> None:
    assert stack.token not in json.dumps(stack.engine.export())
    for process in stack.processes():
        assert stack.token not in " ".join(process.cmdline())
        assert stack.token not in process.environ().values()
        assert not [name for name in process.environ() if "PASSPHRASE" in name]
    for folder in (stack.data_dir, stack.engine.state_dir, stack.engine.project_dir):
        for path in folder.rglob("*"):
            if path.is_file() and path.name != "tracking_token":
                assert stack.token.encode() not in path.read_bytes(), path
    file = stack.data_dir / "secrets" / "tracking_token"
    assert file.stat().st_mode & 0o077 == 0
    assert stack.data_dir.stat().st_mode & 0o077 == 0


def test_a_second_up_changes_nothing(stack: Stack) -> None:
    said = stack.up()
    assert "9 unchanged" in said
    assert _changed(said) == set()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/2.0/mlflow/experiments/search",
        "/ajax-api/3.0/mlflow/server-info",
        "/v1/traces",
        "/gateway/any/mlflow/invocations",
        "/graphql",
        "/static-files/index.html",
    ],
)
def test_without_the_token_every_route_is_closed(stack: Stack, path: str) -> None:
    assert request(stack.uri + path).status == 401
    assert request(stack.uri + path, token="wrong").status == 401
    assert request(stack.uri + path, token=stack.token).status not in (401, 403)
    assert request(f"{stack.uri}/health").status == 200


def test_a_data_scientist_s_day(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Log, register, load, delete, purge, and use the name again."""
    import mlflow
    import pandas

    monkeypatch.setenv("MLFLOW_TRACKING_URI", stack.uri)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", stack.token)
    mlflow.set_tracking_uri(stack.uri)
    mlflow.set_registry_uri(stack.uri)
    client: Any = mlflow.MlflowClient()

    experiment = client.create_experiment("day")
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_param("alpha", 0.5)
        for step in range(3):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
        mlflow.log_text("hello", "notes/hello.txt")
        model_file = tmp_path / "model.py"
        model_file.write_text(
            "from mlflow.models import set_model\n"
            "from mlflow.pyfunc import PythonModel\n"
            "class Double(PythonModel):\n"
            "    def predict(self, context, model_input, params=None):\n"
            "        return model_input * 2\n"
            "set_model(Double())\n"
        )
        pyfunc: Any = mlflow.pyfunc
        # Its requirements are said: to find them, the client would load the model elsewhere.
        named = {"name": "model", "registered_model_name": "double"}
        logged = pyfunc.log_model(python_model=str(model_file), pip_requirements=[], **named)
    found = client.get_run(run.info.run_id).data
    assert found.params == {"alpha": "0.5"}
    assert [metric.value for metric in client.get_metric_history(run.info.run_id, "loss")] == [
        1.0,
        0.5,
        pytest.approx(1 / 3),
    ]
    downloaded = client.download_artifacts(run.info.run_id, "notes/hello.txt", str(tmp_path))
    assert Path(downloaded).read_text() == "hello"
    client.set_registered_model_alias("double", "Champion", "1")
    model = pyfunc.load_model("models:/double@Champion")
    assert model.predict(pandas.DataFrame({"x": [1, 2]}))["x"].tolist() == [2, 4]
    assert int(logged.registered_model_version) == 1

    client.delete_registered_model("double")
    client.create_registered_model("double")
    client.delete_registered_model("double")
    client.delete_experiment(experiment)
    with pytest.raises(mlflow.MlflowException, match="already exists"):
        client.create_experiment("day")
    _run_job(stack, "gc", "--older-than", "0s")
    assert client.create_experiment("day") != ""
    assert not list((stack.data_dir / "artifacts").rglob("hello.txt"))


def _run_job(stack: Stack, *arguments: str) -> str:
    """A job, run by hand with the environment that the scheduler gives it."""

    from tests.warm import TRACKSTACK

    environment = stack.process("scheduler").environ()
    done = warm.run(
        [TRACKSTACK, *arguments], env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_report_and_doctor_work_with_what_the_stack_gives_them(stack: Stack) -> None:
    assert json.loads(_run_job(stack, "report", "--json")) == []
    findings = json.loads(_run_job(stack, "doctor", "--json"))
    assert [finding["check"] for finding in findings if not finding["well"]] == []


@pytest.mark.parametrize("name", ["server", "scheduler"])
def test_a_killed_process_comes_back(stack: Stack, name: str) -> None:
    before = stack.process(name)
    below = before.children(recursive=True)
    before.kill()
    psutil.wait_procs(below, timeout=60)
    wait_for(
        lambda: any(
            child.pid != before.pid and child.cmdline()[-1:] == [name]
            for child in stack.processes()[0].children()
        ),
        f"the {name} did not come back",
    )
    wait_until_ready(stack.uri)
    assert request(stack.uri + _SEARCH, token=stack.token).status == 200


def test_changing_a_schedule_restarts_the_scheduler_alone(stack: Stack) -> None:
    server, scheduler = stack.process("server").pid, stack.process("scheduler").pid
    assert _changed(stack.up(gcSchedule="* * * * *")) == {"scheduler"}
    assert stack.process("server").pid == server
    assert stack.process("scheduler").pid != scheduler


def test_gc_runs_on_its_schedule(stack: Stack) -> None:
    stack.up(gcSchedule="* * * * *")
    state = stack.data_dir / "state" / "jobs.json"
    wait_for(state.exists, "gc did not run within 90 s", 90)
    assert json.loads(state.read_text())["gc"]["exit_code"] == 0


def test_a_stopped_supervisor_is_seen_by_refresh_and_put_right_by_up(stack: Stack) -> None:
    processes = stack.processes()
    processes[0].kill()
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert alive == [], "a killed supervisor must leave no process behind"
    stack.engine.run("refresh")
    assert "supervisor" not in stack.engine.resources()
    stack.up()
    assert request(stack.uri + _SEARCH, token=stack.token).status == 200
    assert stack.engine.outputs()["tracking_token"] == stack.token


def test_up_alone_puts_right_what_does_not_run_after_a_reboot(stack: Stack) -> None:
    processes = stack.processes()
    for process in reversed(processes):
        process.kill()
    psutil.wait_procs(processes, timeout=60)
    stack.up()
    assert request(stack.uri + _SEARCH, token=stack.token).status == 200


def test_a_changed_port_moves_the_server_and_keeps_the_data(stack: Stack) -> None:
    old = stack.uri
    token = stack.token
    stack.up(port=find_free_port())
    assert request(stack.uri + _SEARCH, token=token).status == 200
    with pytest.raises(OSError, match="refused"):
        request(f"{old}/health")


def test_a_path_prefix_moves_the_server_below_it_and_back(stack: Stack) -> None:
    old, token = stack.uri, stack.token
    said = stack.up(pathPrefix="/team/mlflow")
    # What works on the store knows the server's address, as the jobs do.
    assert _changed(said) == {"database", "server", "scheduler"}
    assert stack.engine.outputs()["tracking_uri"] == stack.uri == f"{old}/team/mlflow"
    assert request(stack.uri + _SEARCH, token=token).status == 200
    assert {request(old + path, token=token).status for path in ("/", "/health", _SEARCH)} == {404}
    findings = json.loads(_run_job(stack, "doctor", "--json"))
    assert [finding["check"] for finding in findings if not finding["well"]] == []
    assert f"{stack.uri} answers" in [finding["found"] for finding in findings]
    assert "9 unchanged" in stack.up()
    del stack.config["trackstack:pathPrefix"]
    assert _changed(stack.up()) == {"database", "server", "scheduler"}
    assert request(old + _SEARCH, token=token).status == 200


def test_a_port_that_another_process_holds_is_told_before_anything_is_changed(
    stack: Stack,
) -> None:
    import socket

    before = stack.config["trackstack:port"]
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        stack.config["trackstack:port"] = port
        configure(stack.engine, stack.config)
        done = stack.engine.run("up", check=False)
    stack.config["trackstack:port"] = before
    assert done.code != 0
    assert f"trackstack:port: {port} is held by process {os.getpid()}" in done.output
    assert "Traceback" not in done.output
    assert request(stack.uri + _SEARCH, token=stack.token).status == 200


def test_a_server_that_cannot_start_is_told_without_a_stack_and_up_converges(
    stack: Stack,
) -> None:
    broken = {"MLFLOW_GUNICORN_OPTS": "--log-level 'a quote that is not closed"}
    with pytest.raises(EngineError, match="the server ended while it was starting") as raised:
        stack.up(environment=broken)
    assert 'File "' not in str(raised.value).split("the end of its log")[0]
    stack.up(environment={})
    assert request(stack.uri + _SEARCH, token=stack.token).status == 200


def test_destroy_stops_everything_and_keeps_the_data(stack: Stack) -> None:
    processes, token = stack.processes(), stack.token
    stack.engine.destroy()
    assert [process for process in processes if process.is_running()] == []
    with pytest.raises(OSError, match="refused"):
        request(f"{stack.uri}/health")
    assert (stack.data_dir / "store" / "mydb.sqlite").exists()
    stack.up()
    assert stack.token == token, "clients keep their token"


def test_destroy_removes_the_data_where_the_stack_file_says_so(stack: Stack) -> None:
    stack.up(keepData=False)
    stack.engine.destroy()
    assert not stack.data_dir.exists()
