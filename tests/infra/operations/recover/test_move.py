"""A local stack whose backups are encrypted is moved into another, lost, and recovered by its key,
by the commands that `make` runs.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.engine import Engine
from runtime.backup.format import sealed
from tests.infra.project import configure_local, make_project, run_module, run_operation

pytestmark = pytest.mark.slow


def _client(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Any:
    import mlflow

    outputs = engine.outputs()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", outputs["tracking_token"])
    mlflow.set_tracking_uri(outputs["tracking_uri"])
    return mlflow.MlflowClient()


def _notes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from mlflow import artifacts

    runs = _client(engine, monkeypatch).search_runs(["0"])
    return [artifacts.load_text(f"{run.info.artifact_uri}/note.txt") for run in runs]


def _move(engine: Engine, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_module(engine, "operations.recover.move", *arguments)


def test_a_stack_with_encrypted_backups_is_moved_and_is_recovered_by_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make_project(tmp_path, "one")
    other = Engine(one.project_dir, one.state_dir, stack="other")
    for engine in (one, other):
        configure_local(engine, tmp_path / engine.stack, workers=1, backupEncryption="true")
    one.run("up")
    try:
        client = _client(one, monkeypatch)
        run = client.create_run("0").info.run_id
        client.log_text(run, "hello", "note.txt")

        moved = _move(one, "--from", "one", "--to", "other")
        assert moved.returncode == 0, moved.stdout + moved.stderr
        assert "other holds what" in moved.stdout
        assert "1 runs" in moved.stdout
        assert _notes(other, monkeypatch) == ["hello"]
        # The first stays as it was.
        assert _notes(one, monkeypatch) == ["hello"]
        backups = tmp_path / "one" / "backups"
        files = [file for file in backups.rglob("*") if file.is_file() and file.name != "store"]
        assert len(files) > 5
        assert all(sealed.is_sealed(file.read_bytes()) for file in files)
        assert "encrypted; keep their key elsewhere" in run_operation(one, "status").stdout

        # A stack that holds data is not moved into.
        refused = _move(one, "--from", "one", "--to", "other")
        assert refused.returncode
        assert "other is up" in refused.stderr

        # Lost with all that it had, but for a copy of its backups and of its key.
        key = one.outputs()["backup_key"]
        assert key != other.outputs()["backup_key"]
        shutil.copytree(backups, tmp_path / "copy")
        one.destroy()
        shutil.rmtree(tmp_path / "one")
        recovering = ("recover", "--from", str(tmp_path / "copy"), "--backup", _oldest(tmp_path))
        unknown = run_operation(one, *recovering)
        assert unknown.returncode == 1
        assert unknown.stderr.count("\n") == 1, unknown.stderr
        assert f"encrypted with the key {sealed.name_of(key)}" in unknown.stderr
        monkeypatch.setenv("TRACKSTACK_BACKUP_KEY", key)
        recovered = run_operation(one, *recovering)
        assert recovered.returncode == 0, recovered.stdout + recovered.stderr
        assert _notes(one, monkeypatch) == ["hello"]
    finally:
        for engine in (one, other):
            engine.destroy(check=False)


def _oldest(folder: Path) -> str:
    return min(path.name for path in (folder / "copy").iterdir())
