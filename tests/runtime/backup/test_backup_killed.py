"""Backups and restores that are killed: neither looks complete, both are run again."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.artifacts.tree import Tree
from runtime.backup import filling, make, schema
from runtime.backup.format import manifest
from runtime.backup.format.manifest import Manifest
from runtime.database.engine import open_engine
from runtime.settings import RuntimeSettings
from tests.runtime.backup.stores import artifacts, restore
from tests.runtime.filled import settings_of, unlike
from tests.runtime.serving import TRACKSTACK

# Imports once, then forks a child for each kill: what it is at when it dies is left to chance.
_KILLED = """
import os, random, signal, sys, time
sys.path.insert(0, os.getcwd())
from runtime.backup import make, restore, schema
from tests.runtime.filled import settings_of
from pathlib import Path
import mlflow.store.tracking.sqlalchemy_store
what, data, place, seed, kills = sys.argv[1:]
settings = settings_of(Path(data))
rows = make.destination(settings, place)

def work():
    if what == "backup":
        make.back_up(settings, rows)
    else:
        restore.restore(settings, place, None, force=True, with_artifacts=True, migrate=True)

def child():
    pid = os.fork()
    if pid == 0:
        os.setsid()
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return pid

began = time.monotonic()
assert os.waitpid(child(), 0)[1] == 0
seconds = time.monotonic() - began
chance, killed = random.Random(int(seed)), 0
for _ in range(int(kills)):
    pid = child()
    time.sleep(chance.uniform(0, seconds))
    os.kill(pid, signal.SIGKILL)
    killed += os.waitpid(pid, 0)[1] == signal.SIGKILL
print(killed)
"""


def _kill(what: str, data_dir: Path, tree: Tree, kills: int) -> int:
    seed = str(random.randrange(1 << 30))
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, what, str(data_dir), tree.uri, seed, str(kills)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    return int(done.stdout)


@pytest.mark.slow
def test_a_killed_backup_never_looks_complete(filled: RuntimeSettings, tmp_path: Path) -> None:
    tree = Tree(str(tmp_path / "backups"))
    assert _kill("backup", filled.data_dir, tree, 50) > 0
    make.back_up(filled, tree)
    complete = [name for name, is_complete in manifest.names(tree).items() if is_complete]
    for name in complete:
        assert filling.verify(tree, name)[1] == [], name
    assert len(complete) >= 2


@pytest.mark.slow
def test_a_killed_restore_is_run_again_and_no_server_starts_between(
    made: tuple[Tree, Manifest], filled: RuntimeSettings, tmp_path: Path
) -> None:
    tree, of = made
    assert _kill("restore", tmp_path, tree, 12) > 0
    target = settings_of(tmp_path)
    engine = open_engine(target)
    # Kill it for certain in the middle, whatever chance has done.
    schema.make_empty(engine, of.name)
    environment = {
        **os.environ,
        "TRACKSTACK_DATA_DIR": str(tmp_path),
        "MLFLOW_TRACKING_TOKEN": "not of any use",
    }
    started = subprocess.run(
        [TRACKSTACK, "server"], env=environment, capture_output=True, text=True, timeout=120
    )
    assert started.returncode == 1
    assert "run `trackstack restore` again" in started.stderr
    restore(target, tree)
    assert unlike(engine, of) == []
    assert artifacts(target) == artifacts(filled)
    assert not list(Path(target.artifacts_destination).glob(".trackstack*"))
