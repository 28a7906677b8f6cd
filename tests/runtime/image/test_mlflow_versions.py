"""The other versions of MLflow that a stack file may name: served, upgraded, collected, guarded."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.place import ROOT
from tests.mlflow_versions import NEWEST, OTHERS, with_trackstack
from tests.warm import TRACKSTACK

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

# What depends on MLflow's own code most: its server, routes, schema, deletion and locations.
_SLOW = (
    "tests/runtime/server/test_server.py",
    "tests/runtime/server/test_older_store.py",
    "tests/runtime/access/test_access_routes.py",
    "tests/runtime/access/test_every_route.py",
    "tests/runtime/access/test_locations.py",
    "tests/runtime/access/test_roles.py",
    "tests/runtime/backup/test_backup.py",
    "tests/runtime/gc/test_gc_differential.py",
    "tests/runtime/move_in/test_move_in.py",
)
_LOG_A_RUN = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("first")
with mlflow.start_run() as run:
    mlflow.log_metric("auc", 0.93)
"""


@pytest.fixture(scope="module", params=OTHERS)
def programs(request: pytest.FixtureRequest) -> Path:
    return with_trackstack(request.param)


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("chosen", [("-m", "not slow", "tests/runtime"), ("-m", "slow", *_SLOW)])
def test_the_tests_of_the_runtime_hold_beside_it(programs: Path, chosen: tuple[str, ...]) -> None:
    done = subprocess.run(
        [programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen],
        cwd=ROOT,
        env=_environment(programs),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-10_000:]


def test_its_store_goes_up_with_a_copy_and_does_not_come_down(
    programs: Path, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/store/mydb.sqlite"
    made = _upgrade(programs / "trackstack", tmp_path)
    assert made["from"] is None
    subprocess.run([programs / "python", "-c", _LOG_A_RUN, store], cwd=tmp_path, check=True)
    raised = _upgrade(Path(TRACKSTACK), tmp_path)
    assert raised["from"] == made["to"] != raised["to"]
    assert Path(raised["backup"]).is_file()
    read = (
        f"import mlflow; mlflow.set_tracking_uri('{store}'); "
        "print(len(mlflow.search_runs(experiment_names=['first'])))"
    )
    program = Path(TRACKSTACK).with_name("python")
    runs = subprocess.run([program, "-c", read], capture_output=True, text=True, check=True)
    assert runs.stdout.split()[-1] == "1"
    again = _run(programs / "trackstack", tmp_path)
    assert again.returncode != 0
    assert "of a newer MLflow" in again.stderr, NEWEST


def _upgrade(program: Path, folder: Path) -> Any:
    done = _run(program, folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _run(program: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [program, "upgrade", "--json"],
        env={**_environment(program.parent), "TRACKSTACK_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
    )


def _environment(programs: Path) -> dict[str, str]:
    """This one's, with those programs first and not told of another virtual environment."""
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    return {**kept, "PATH": f"{programs}:{kept['PATH']}"}
