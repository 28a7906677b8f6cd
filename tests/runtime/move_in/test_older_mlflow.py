"""Stores that a real MLflow made by its own server move in, stay what they were, and move out."""

import hashlib
import json
import os
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.system.ports import find_free_port
from runtime.artifacts.tree import Tree
from runtime.move_in.command import take
from runtime.settings import RuntimeSettings
from tests import warm
from tests.mlflow_versions import alone
from tests.runtime.backup.stores import artifacts, restore, state_of
from tests.runtime.databases import mariadb
from tests.runtime.filled import settings_of
from tests.runtime.serving import serving, wait_until_ready
from tests.warm import TRACKSTACK

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

# What these versions do not say that they cannot do with.
_WITH = ("sqlalchemy<2.1", "setuptools<81", "pymysql", "scipy<1.16")
# By the version's own client, at its own server: served artifacts, a model with an alias, a deleted
# experiment and a run outside of what the server serves.
_FILL = """
import json, sys, mlflow
uri, outside = sys.argv[1:]
mlflow.set_tracking_uri(uri)

class Doubled(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return [2 * value for value in model_input["x"]]

mlflow.set_experiment("served")
with mlflow.start_run() as run:
    for step in range(3):
        mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
    mlflow.log_param("depth", 3)
    mlflow.log_text("words", "note.txt")
    mlflow.pyfunc.log_model("model", python_model=Doubled(), registered_model_name="fraud")
client = mlflow.MlflowClient()
client.set_registered_model_alias("fraud", "Champion", "1")
client.delete_experiment(client.create_experiment("gone"))
apart = client.create_experiment("apart", artifact_location=outside)
client.create_run(apart)
print(json.dumps({"run": run.info.run_id}))
"""


@contextmanager
def _server(programs: Path, store: str, folder: Path) -> Generator[str]:
    port = find_free_port()
    arguments = ["server", "--backend-store-uri", store, "--port", str(port), "--workers", "1"]
    served = ["--serve-artifacts", "--artifacts-destination", str(folder / "mlartifacts")]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "mlflow", *arguments, *served],
            cwd=folder,
            env=_environment(programs),
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def _environment(programs: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "VIRTUAL_ENV"))}
    return {**kept, "PATH": f"{programs}:{kept['PATH']}"}


def _fill(programs: Path, store: str, folder: Path) -> Any:
    with _server(programs, store, folder) as uri:
        script = [programs / "python", "-c", _FILL, uri, str(folder / "elsewhere")]
        done = subprocess.run(
            script, cwd=folder, env=_environment(programs), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def _store(kind: str, folder: Path) -> Generator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/mlflow.db"
    else:
        with mariadb() as server:
            yield server.new_database()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["sqlite", "mysql"])
@pytest.mark.parametrize("version", ["2.9.2", "2.22.5", "3.17.2"])
def test_what_its_own_server_holds_is_held_here_and_by_a_plain_server_again(
    version: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = alone(version, *_WITH)
    (old := tmp_path / "old").mkdir()
    with _store(kind, old) as store:
        made = _fill(programs, store, old)
        files = artifacts(_plain(old, store))
        before = _held(store, old)
        taken = take(store, (str(old / "mlartifacts"),), (), str(tmp_path / "in"))
        assert _held(store, old) == before
    assert len(files) > 1
    outside = {(each["column"], each["count"]) for each in taken["outside"]}
    assert outside == {("experiments.artifact_location", 1), ("runs.artifact_uri", 1)}
    settings = settings_of(tmp_path / "new")
    restore(settings, Tree(taken["to"]))
    assert artifacts(settings) == files
    uri = f"sqlite:///{tmp_path}/new/store/mydb.sqlite"
    with serving(tmp_path / "new", MLFLOW_BACKEND_STORE_URI=uri) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
        _check(server.uri, made)
        assert server.run("backup", "--to", str(tmp_path / "out")).returncode == 0
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")

    (away := tmp_path / "away").mkdir()
    with _store(kind, away) as store:
        # As docs/how-to/move-in.md says it.
        leaving = {
            "MLFLOW_BACKEND_STORE_URI": store,
            "MLFLOW_ARTIFACTS_DESTINATION": str(away / "mlartifacts"),
        }
        restoring = [TRACKSTACK, "restore", "--from", str(tmp_path / "out")]
        warm.run(restoring, env={**os.environ, **leaving}, check=True, timeout=240)
        assert artifacts(_plain(away, store)) == files
        with _server(alone("3.17.2", *_WITH), store, away) as uri:
            _check(uri, made)


def _plain(folder: Path, store: str) -> RuntimeSettings:
    """A plain server's store, as ours knows one."""
    return settings_of(folder, store, MLFLOW_ARTIFACTS_DESTINATION=str(folder / "mlartifacts"))


def _check(uri: str, made: Mapping[str, str]) -> None:
    """All that the old server was given is at this one, and the model is loaded by its alias."""
    import mlflow
    from mlflow.artifacts import load_text

    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    client: Any = mlflow.MlflowClient()
    run = client.get_run(made["run"])
    assert run.data.params == {"depth": "3"}
    losses = client.get_metric_history(made["run"], "loss")
    assert [m.value for m in losses] == [1.0, 0.5, 1.0 / 3]
    every = client.search_experiments(view_type=3)
    assert {e.name for e in every} == {"Default", "served", "gone", "apart"}
    assert len(client.search_runs([e.experiment_id for e in every], run_view_type=3)) == 2
    assert [v.version for v in client.search_model_versions("name='fraud'")] == ["1"]
    assert load_text(f"runs:/{made['run']}/note.txt") == "words"
    model: Any = mlflow.pyfunc.load_model("models:/fraud@Champion")
    assert list(model.predict({"x": [1, 2]})) == [2, 4]


def _sums(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _held(store: str, folder: Path) -> Any:
    """Every file, and what is in every table of a server's database."""
    files = {name: value for name, value in _sums(folder).items() if name != "server.log"}
    return files, None if store.startswith("sqlite") else state_of(settings_of(folder, store))[0]
