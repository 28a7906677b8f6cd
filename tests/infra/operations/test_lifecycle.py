"""Drift, teardown and recovery of a real local stack, by the commands that `make` runs."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.place import ROOT
from infra.rehearsal.engine import Engine
from infra.rehearsal.system.ports import find_free_port
from tests.infra.project import configure, configure_local, make_project, run_operation

pytestmark = pytest.mark.slow


def _client(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Any:
    import mlflow

    outputs = engine.outputs()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", outputs["tracking_token"])
    mlflow.set_tracking_uri(outputs["tracking_uri"])
    return mlflow.MlflowClient()


def _log_a_run(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    client = _client(engine, monkeypatch)
    run = client.create_run("0")
    client.log_text(run.info.run_id, "hello", "note.txt")


def _typed_after_env(engine: Engine) -> None:
    """Commands in the environment of `. ./env STACK`, from whichever folder."""
    project = engine.project_dir
    for name in ("env", ".venv"):
        (project / name).symlink_to(ROOT / name)
    typed = ". ./env test && cd .. && trackstack backup --to typed && trackstack doctor --json"
    done = subprocess.run(
        ["bash", "-c", typed],
        cwd=project,
        env=engine.environment_of_commands(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((project.parent / "typed").iterdir())
    findings = json.loads(done.stdout.splitlines()[-1])
    [store] = [finding for finding in findings if finding["check"] == "backend store"]
    assert engine.outputs()["backend_store"] in store["found"]


def _typed_after_make(engine: Engine) -> None:
    """As the page "You know it as" says it."""
    outputs = engine.outputs()
    shown = run_operation(engine, "status")
    assert shown.returncode == 0, shown.stderr
    assert f"MLflow is up at {outputs['tracking_uri']}" in shown.stdout
    token = run_operation(engine, "status", "--output", "tracking_token")
    assert token.stdout == f"{outputs['tracking_token']}\n"
    unknown = run_operation(engine, "status", "--output", "tokens")
    assert unknown.returncode == 1
    assert "has no output tokens, but artifacts_destination, " in unknown.stderr
    purged = run_operation(engine, "run", "gc", "--older-than", "10m")
    assert purged.returncode == 0, purged.stderr
    assert purged.stdout.startswith("deleted 0 runs")


def _notes_of_the_runs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from mlflow import artifacts

    client = _client(engine, monkeypatch)
    return [
        artifacts.load_text(f"{run.info.artifact_uri}/note.txt")
        for run in client.search_runs(["0"])
    ]


def test_a_stack_drifts_and_is_put_right_goes_down_and_is_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, data = make_project(tmp_path), tmp_path / "d"
    configure_local(engine, data)
    engine.run("up")
    try:
        none = run_operation(engine, "drift")
        assert (none.returncode, none.stderr) == (0, "")
        assert "nothing differs" in none.stdout

        supervisor = psutil.Process(int((data / "supervisord.pid").read_text()))
        ended = [supervisor, *supervisor.children(recursive=True)]
        supervisor.kill()
        psutil.wait_procs(ended, timeout=60)
        drifted = run_operation(engine, "drift", "--json")
        assert drifted.returncode == 2, drifted.stderr
        gone = {drift["resource"]: drift for drift in json.loads(drifted.stdout)["drift"]}
        assert {"supervisor", "server"} <= gone.keys()
        assert "make up STACK=test" in gone["server"]["remedy"]
        shown = run_operation(engine, "drift")
        assert "WHO CAN PUT IT RIGHT" in shown.stdout
        engine.run("up")
        assert run_operation(engine, "drift").returncode == 0

        key = data / "secrets" / "secrets_key"
        before, server = key.read_text(), (data / "supervisord.pid").read_text()
        assert run_operation(engine, "rotate_key").returncode == 0
        engine.run("up")
        assert key.read_text().split()[1:] == [before]
        assert (data / "supervisord.pid").read_text() == server
        assert run_operation(engine, "drift").returncode == 0

        none = run_operation(engine, "recover", "--from", str(tmp_path))
        assert none.returncode == 1
        assert "there is no complete backup" in none.stderr
        _log_a_run(engine, monkeypatch)
        _typed_after_env(engine)
        _typed_after_make(engine)
        backup = shlex.split(engine.outputs()["command"])
        backed_up = subprocess.run(
            [*backup, "backup", "--to", str(tmp_path / "b")], capture_output=True, text=True
        )
        assert backed_up.returncode == 0, backed_up.stderr
        # Only once there is something to recover from is the stack to be taken down.
        running = run_operation(engine, "recover", "--from", str(tmp_path / "b"))
        assert running.returncode == 1
        assert "make down STACK=test" in running.stderr

        told = run_operation(engine, "down", "--dry-run", "--json")
        plan = json.loads(told.stdout)
        assert (plan["protected"], plan["lost"]) == (False, [])
        assert plan["kept"] == [f"data ({data})"]
        done = run_operation(engine, "down")
        assert done.returncode == 0, done.stdout + done.stderr
        # What is kept stays known, so that another dataDir is refused.
        assert engine.resources().keys() == {"data"}
        assert "is not up" in run_operation(engine, "status", "--output", "logs").stderr
        assert (data / "store" / "mydb.sqlite").exists()

        # The machine is lost, but for the backup.
        shutil.rmtree(data)
        recovered = run_operation(engine, "recover", "--from", str(tmp_path / "b"))
        assert recovered.returncode == 0, recovered.stderr
        # It is up, and was asked.
        assert "1 experiments, 1 runs" in recovered.stdout
        assert _notes_of_the_runs(engine, monkeypatch) == ["hello"]
    finally:
        engine.destroy(check=False)


def test_a_stack_in_the_home_folder_is_recovered_where_its_server_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a person writes it: `dataDir: ~/data`."""
    monkeypatch.setenv("HOME", str(tmp_path / "h"))
    engine, data = make_project(tmp_path), tmp_path / "h" / "data"
    config = {
        "trackstack:cloud": "local",
        "trackstack:port": find_free_port(),
        "trackstack:dataDir": "~/data",
    }
    configure(engine, config)
    engine.run("up")
    try:
        _client(engine, monkeypatch).create_experiment("precious")
        _log_a_run(engine, monkeypatch)
        command = [*shlex.split(engine.outputs()["command"]), "backup", "--to", str(tmp_path / "b")]
        subprocess.run(command, check=True, capture_output=True)
        engine.destroy()
        shutil.rmtree(data)

        recovered = run_operation(engine, "recover", "--from", str(tmp_path / "b"))
        assert recovered.returncode == 0, recovered.stderr
        assert "2 experiments, 1 runs" in recovered.stdout
        assert (data / "store" / "mydb.sqlite").exists()
        assert not (engine.project_dir / "~").exists()
        assert _client(engine, monkeypatch).get_experiment_by_name("precious")
        assert _notes_of_the_runs(engine, monkeypatch) == ["hello"]
    finally:
        engine.destroy(check=False)


def test_a_stack_that_is_not_there_is_an_error_and_no_drift(tmp_path: Path) -> None:
    engine = make_project(tmp_path)
    (engine.state_dir / "backend").mkdir(parents=True)
    done = run_operation(engine, "drift", "--json")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no stack named 'test' found" in done.stderr
    assert "Traceback" not in done.stderr
