"""`make move-in`: a file store into a real local stack, asked by the real client."""

import hashlib
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.infra.project import configure, configure_local, make_project, run_operation
from tests.runtime.databases import postgresql

pytestmark = pytest.mark.slow


def _sums(folder: Path) -> dict[str, str]:
    files = (f for f in folder.rglob("*") if f.is_file())
    return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def _make_old(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    import mlflow

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client: Any = mlflow.MlflowClient(tracking_uri=str(folder), registry_uri=str(folder))
    run: str = client.create_run(client.create_experiment("old")).info.run_id
    client.log_metric(run, "auc", 0.93)
    client.log_text(run, "flavors: {}", "model/MLmodel")
    client.create_registered_model("fraud")
    client.create_model_version("fraud", f"{client.get_run(run).info.artifact_uri}/model", run)
    client.set_registered_model_alias("fraud", "Champion", "1")
    return run


def test_a_file_store_becomes_a_stack_and_stays_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    old = tmp_path / "old" / "mlruns"
    run = _make_old(old, monkeypatch)
    before = _sums(old)
    engine = make_project(tmp_path)
    # The old server's, in all likelihood, while it moves: the stack's file names no port.
    configure(engine, {"trackstack:cloud": "local", "trackstack:dataDir": str(tmp_path / "d")})
    # Makes the engine's state.
    engine.run("config")
    try:
        with socket.socket() as theirs:
            # Whoever has it else is as good.
            with suppress(OSError):
                theirs.bind(("127.0.0.1", 5000))
                theirs.listen()
            done = run_operation(engine, "recover.move_in", "--from", str(old))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "this stack takes 50" in done.stdout
        assert "1 of 1 models with an alias can be loaded" in done.stdout
        assert "all rows and 1 artifacts were compared by checksum" in done.stdout
        assert _sums(old) == before
        outputs = engine.outputs()
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", outputs["tracking_token"])
        mlflow.set_tracking_uri(outputs["tracking_uri"])
        client: Any = mlflow.MlflowClient()
        assert client.get_run(run).data.metrics == {"auc": 0.93}
        assert [f.path for f in client.list_artifacts(run)] == ["model"]
        # A new run goes to the new server, and not to the client's own disk.
        new = client.create_run(client.get_run(run).info.experiment_id).info
        assert new.artifact_uri.startswith("mlflow-artifacts:/")
        again = run_operation(engine, "recover.move_in", "--from", str(old))
        assert again.returncode == 1
        assert "make down STACK=test" in again.stderr
    finally:
        engine.run("destroy", check=False)


@pytest.mark.nightly
def test_a_stack_with_a_database_of_its_own_is_filled_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not take a file store's long numbers."""
    import mlflow

    old = tmp_path / "old" / "mlruns"
    run = _make_old(old, monkeypatch)
    engine = make_project(tmp_path)
    with postgresql() as database:
        configure_local(engine, tmp_path / "d")
        engine.run(
            "config", "set", "--secret", "trackstack:backendStoreUri", database.new_database()
        )
        try:
            done = run_operation(engine, "recover.move_in", "--from", str(old))
            assert done.returncode == 0, done.stdout + done.stderr
            assert "1 of 1 models with an alias can be loaded" in done.stdout
            outputs = engine.outputs()
            monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", outputs["tracking_token"])
            mlflow.set_tracking_uri(outputs["tracking_uri"])
            client: Any = mlflow.MlflowClient()
            assert client.get_run(run).data.metrics == {"auc": 0.93}
            assert not list((tmp_path / "d").rglob("mydb.sqlite"))
        finally:
            engine.run("destroy", check=False)
