"""A restore looks at all of a backup, and at the disk, before it changes a row."""

import gzip
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.artifacts import owner
from runtime.artifacts.tree import Tree
from runtime.backup import arrival, make, schema
from runtime.backup.format.manifest import Manifest
from runtime.backup.restore import restore
from runtime.database import identity, state
from runtime.database.engine import open_engine
from runtime.settings import RuntimeSettings
from tests.runtime.backup.stores import run_restore, state_of
from tests.runtime.database.empty import put_empty_store
from tests.runtime.filled import settings_of
from tests.runtime.serving import serving
from tests.warm import TRACKSTACK

pytestmark = pytest.mark.slow


def _shorter(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


def _other(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b"!")


_BREAKAGES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a table is short": ("database/runs.jsonl.gz", _shorter, "checksum is another"),
    "a table is gone": ("database/tags.jsonl.gz", Path.unlink, "cannot be read"),
    "the last table": ("database/trackstack_tokens.jsonl.gz", _other, "checksum is another"),
    "the listing": ("artifacts.jsonl.gz", _shorter, "checksum is another"),
    "an artifact is gone": ("artifacts/**/weights.bin", Path.unlink, "weights.bin: is missing"),
    "an artifact is other": ("artifacts/**/weights.bin", _other, "its checksum is another"),
}


@pytest.mark.parametrize("what", _BREAKAGES)
def test_a_broken_backup_changes_nothing(
    what: str, made: tuple[Tree, Manifest], filled: RuntimeSettings, tmp_path: Path
) -> None:
    shutil.copytree(filled.data_dir, tmp_path / "full", ignore=shutil.ignore_patterns("backups"))
    full = settings_of(tmp_path / "full")
    tree = tmp_path / "backups"
    shutil.copytree(Path(made[0].uri) / made[1].name, tree / made[1].name)
    before = state_of(full)
    pattern, breaking, said = _BREAKAGES[what]
    breaking(sorted((tree / made[1].name).glob(pattern))[0])
    for flags in (("--dry-run",), ()):
        done = run_restore(full, "--from", str(tree), *flags)
        assert said in done.stderr
        assert "would restore" not in done.stdout
        assert state_of(full) == before
        assert not state.is_unfinished(open_engine(full))
    if "artifact" in what:
        # The database alone is whole.
        run_restore(full, "--from", str(tree), "--no-artifacts", code=0)


def test_a_broken_artifact_can_be_gone_without_by_name(
    made: tuple[Tree, Manifest], filled: RuntimeSettings, tmp_path: Path
) -> None:
    tree = tmp_path / "backups"
    own = tree / made[1].name
    shutil.copytree(Path(made[0].uri) / made[1].name, own)
    first, second, *_ = sorted((own / "artifacts").rglob("weights.bin"))
    _other(first)
    _other(second)
    paths = [str(file.relative_to(own / "artifacts")) for file in (first, second)]
    empty = settings_of(tmp_path / "empty")
    one = ("--from", str(tree), "--accept", paths[0])
    said = run_restore(empty, *one).stderr
    assert "--accept PATH" in said
    assert paths[1] in said
    assert paths[0] not in said
    assert not schema.holds_data(open_engine(empty))
    assert "has not all" in run_restore(empty, *one, "--accept", "1/of-no-run", code=2).stderr
    both = (*one, "--accept", paths[1])
    for flags in (("--dry-run",), ()):
        done = json.loads(run_restore(empty, *both, *flags, "--json", code=0).stdout)
        assert (done["files"], done["left_out"]) == (1, sorted(paths))
    brought = [f for f in Path(empty.artifacts_destination).rglob("*") if f.is_file()]
    assert len(brought) == 1
    assert not state.is_unfinished(open_engine(empty))


def test_an_artifact_that_a_store_lacks_is_found_before_a_row_is_changed(
    filled: RuntimeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is no directory, by MLflow's own client of it: here another server's."""
    with serving(tmp_path / "store") as server:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
        tree = Tree(f"{server.uri}/api/2.0/mlflow-artifacts/artifacts/backups")
        of = make.back_up(filled, tree)
        shutil.copytree(filled.data_dir / "store", tmp_path / "full" / "store")
        full = settings_of(tmp_path / "full")
        before = state_of(full)
        there = tmp_path / "store" / "artifacts" / "backups" / of.name / "artifacts"
        first, second, *_ = sorted(there.rglob("weights.bin"))
        first.unlink()
        _shorter(second)
        done = run_restore(full, "--from", tree.uri)
        assert "weights.bin: is missing" in done.stderr
        assert "bytes, not" in done.stderr
        assert state_of(full) == before


def _file_for_folder(artifacts: Path) -> None:
    shutil.rmtree(artifacts / "1")
    (artifacts / "1").write_text("a file where the backup has a folder")


def _folder_for_file(artifacts: Path) -> None:
    file = next(artifacts.rglob("weights.bin"))
    file.unlink()
    file.mkdir()
    (file / "kept").write_text("a file where the backup has none")


@pytest.mark.parametrize("stand", [_file_for_folder, _folder_for_file])
def test_artifacts_that_stand_in_the_way_are_told_before_a_row_is_changed(
    stand: Callable[[Path], None],
    made: tuple[Tree, Manifest],
    filled: RuntimeSettings,
    tmp_path: Path,
) -> None:
    shutil.copytree(filled.data_dir, tmp_path / "full", ignore=shutil.ignore_patterns("backups"))
    full = settings_of(tmp_path / "full")
    stand(Path(full.artifacts_destination))
    before = state_of(full)
    for flags in (("--dry-run",), ()):
        done = run_restore(full, "--from", made[0].uri, *flags)
        assert "nothing was changed" in done.stderr
        assert "weights.bin: " in done.stderr
        assert state_of(full) == before
        assert not state.is_unfinished(open_engine(full))


def test_a_disk_that_refuses_the_artifacts_leaves_the_store_as_it_was(
    filled: RuntimeSettings, tmp_path: Path
) -> None:
    """No file may be larger than so much: a disk's refusal, at a size of our own."""
    for name in ("source", "full"):
        ignored = shutil.ignore_patterns("backups")
        shutil.copytree(filled.data_dir, tmp_path / name, ignore=ignored)
    source, full = settings_of(tmp_path / "source"), settings_of(tmp_path / "full")
    large = Path(source.artifacts_destination) / "1" / "large.bin"
    large.write_bytes(b"x" * (8 << 20))
    tree = make.destination(source, None)
    make.back_up(source, tree)
    before = state_of(full)
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 4096; exec {TRACKSTACK} restore --force --from {tree.uri}"],
        env={"TRACKSTACK_DATA_DIR": str(full.data_dir), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert "large.bin" in done.stderr
    assert state_of(full) == before
    assert not state.is_unfinished(open_engine(full))


def test_a_disk_that_is_too_small_is_told_beforehand(tmp_path: Path) -> None:
    listing = tmp_path / "listing"
    listing.write_bytes(gzip.compress(json.dumps(["1/large.bin", 1 << 60, "0" * 64]).encode()))
    (told,) = arrival.problems(Tree(str(tmp_path)), listing)
    assert f"{1 << 60} bytes are to come" in told


def test_a_dry_run_of_a_whole_backup_says_what_would_come(
    made: tuple[Tree, Manifest], tmp_path: Path
) -> None:
    empty = settings_of(tmp_path)
    done = run_restore(empty, "--from", made[0].uri, "--dry-run", code=0)
    assert done.stdout.strip() == f"would restore {made[1].name}: {made[1].rows} rows, 3 artifacts"
    assert not schema.holds_data(open_engine(empty))


def test_an_empty_store_that_is_filled_stays_the_store_of_its_destination(
    made: tuple[Tree, Manifest], tmp_path: Path
) -> None:
    """As a server that came up empty and is then told to restore, by recover or move."""
    tree, backup = made
    settings = settings_of(tmp_path / "empty")
    put_empty_store(settings.data_dir)
    engine = open_engine(settings)
    own = identity.ensure(engine)
    owner.claim_all(engine, settings)
    restore(settings, tree.uri, backup.name, force=False, with_artifacts=True, migrate=True)
    assert identity.known(engine) == own
    assert identity.parent(engine) == backup.store
    owner.claim_all(engine, settings)
