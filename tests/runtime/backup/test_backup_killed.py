"""Backups, restores and migrations that are killed: none looks complete, each is run again."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.artifacts.tree import Tree
from runtime.backup import filling, make, schema
from runtime.backup.format import manifest, parts
from runtime.backup.format.manifest import Manifest
from runtime.backup.retention import Rule
from runtime.backup.upgrade import upgrade
from runtime.database.engine import open_engine
from runtime.database.state import revisions
from runtime.settings import RuntimeSettings
from tests import warm
from tests.runtime.backup.stores import OLD, artifacts, make_old, names, restore
from tests.runtime.filled import settings_of, unlike
from tests.warm import TRACKSTACK

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
@pytest.mark.parametrize("kills", [12, pytest.param(50, marks=pytest.mark.nightly)])
def test_a_killed_restore_is_run_again_and_no_server_starts_between(
    made: tuple[Tree, Manifest], filled: RuntimeSettings, tmp_path: Path, kills: int
) -> None:
    tree, of = made
    assert _kill("restore", tmp_path, tree, kills) > 0
    target = settings_of(tmp_path)
    engine = open_engine(target)
    # Kill it for certain in the middle, whatever chance has done.
    schema.make_empty(engine, of.name)
    environment = {
        **os.environ,
        "TRACKSTACK_DATA_DIR": str(tmp_path),
        "MLFLOW_TRACKING_TOKEN": "not of any use",
    }
    started = warm.run(
        [TRACKSTACK, "server"], env=environment, capture_output=True, text=True, timeout=120
    )
    assert started.returncode == 1
    assert "run `trackstack restore` again" in started.stderr
    restore(target, tree)
    assert unlike(engine, of) == []
    assert artifacts(target) == artifacts(filled)
    assert not list(Path(target.artifacts_destination).glob(".trackstack-*"))


@pytest.mark.slow
def test_a_migration_that_is_killed_leaves_the_store_as_it_was_or_migrated(tmp_path: Path) -> None:
    assert _killed_upgrades(tmp_path, 4) > 0


@pytest.mark.nightly
def test_a_migration_is_killed_at_fifty_points(tmp_path: Path) -> None:
    assert _killed_upgrades(tmp_path, 50) > 25


def _killed_upgrades(tmp_path: Path, kills: int) -> int:
    """Each on a store of its own; how many died before they were done."""
    chance, killed = random.Random(20), 0
    for number in range(kills):
        settings = make_old(tmp_path / str(number))
        pid = os.fork()
        if pid == 0:
            upgrade(settings)
            os._exit(0)
        time.sleep(chance.uniform(0, 1.5))
        os.kill(pid, signal.SIGKILL)
        killed += os.waitpid(pid, 0)[1] == signal.SIGKILL
        has, should = revisions(open_engine(settings))
        assert has in (OLD, should)
        assert "e" in names(settings)
        upgrade(settings)
        assert revisions(open_engine(settings))[0] == should
    return killed


@pytest.mark.slow
@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.nightly)])
def test_a_killed_retirement_leaves_no_backup_that_only_looks_complete(
    filled: RuntimeSettings, tmp_path: Path, kills: int
) -> None:
    tree, chance = Tree(str(tmp_path / "backups")), random.Random(20)
    of = make.back_up(filled, tree)
    for number in range(kills):
        old = Path(tree.uri) / f"20200101T0000{number:02}Z-0000"
        shutil.copytree(Path(tree.uri) / of.name, old)
        as_old = (old / manifest.MANIFEST).read_text().replace(of.name, old.name)
        (old / manifest.MANIFEST).write_text(as_old)
        # So that there is time to be killed in.
        (old / "database" / "more").mkdir()
        for more in range(500):
            (old / "database" / "more" / str(more)).touch()
        pid = os.fork()
        if pid == 0:
            make.retire(tree, of.store, Rule(1))
            os._exit(0)
        time.sleep(chance.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        for name in manifest.complete(tree):
            assert parts.is_there(tree.at(name), manifest.load(tree, name)), name
    made = make.back_up(filled, tree)
    make.retire(tree, of.store, Rule(1), just_made=made.name)
    assert list(manifest.names(tree)) == [made.name]
