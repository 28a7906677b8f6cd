"""Which backups of real stores are kept, and which one is taken: never half a one."""

import json
import os
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from runtime.artifacts.owner import claim
from runtime.artifacts.tree import Tree
from runtime.backup import make
from runtime.backup import restore as restoring
from runtime.backup.format import manifest
from runtime.backup.retention import Rule
from runtime.database import identity
from runtime.database.engine import open_engine
from runtime.errors import UserError
from runtime.settings import RuntimeSettings
from tests import warm
from tests.runtime.filled import StoreMaker, settings_of
from tests.warm import TRACKSTACK


def _nightly(settings: RuntimeSettings, tree: Tree, *, keep: int = 1, **how: Any) -> str:
    """As the command does it."""
    of = make.back_up(settings, tree, **how)
    make.retire(tree, of.store, Rule(keep), just_made=of.name)
    return of.name


@pytest.mark.slow
def test_two_stores_in_one_place_leave_each_other_alone(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    tree = Tree(str(tmp_path / "backups"))
    one, other = store_in(tmp_path / "one"), store_in(tmp_path / "other")
    kept = _nightly(one, tree)
    newest = [_nightly(other, tree) for _ in range(3)][-1]
    assert manifest.complete(tree) == [kept, newest]
    # By default a store is given its own, and a new one what a person names.
    new = settings_of(tmp_path / "new")
    for target, name in ((one, kept), (other, newest)):
        done = restoring.restore(
            target, tree.uri, None, force=True, with_artifacts=True, migrate=True, dry_run=True
        )
        assert done["name"] == name
    with pytest.raises(UserError, match=f"2 stores; name the one.*{kept}, {newest}"):
        restoring.restore(new, tree.uri, None, force=False, with_artifacts=True, migrate=True)


@pytest.mark.slow
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), ValueError("locked")])
def test_one_that_cannot_be_deleted_is_an_alarm_since_the_new_one_is_made(
    tmp_path: Path, store_in: StoreMaker, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A failure would be tried again, and leave another backup each time."""
    tree, one = Tree(str(tmp_path / "backups")), store_in(tmp_path / "one")
    made = [make.back_up(one, tree) for _ in range(3)]

    def refuse(own: Tree, **_order: str) -> None:
        if own.name == made[1].name:
            raise error
        delete(own)

    delete = Tree.delete
    monkeypatch.setattr(Tree, "delete", refuse)
    retired = make.retire(tree, made[0].store, Rule(1), just_made=made[2].name)
    assert retired.deleted == [made[0].name]
    assert f"{made[1].name} cannot be deleted" in str(retired.alarm)
    assert ("locked" in str(retired.alarm)) == isinstance(error, ValueError)


@pytest.mark.slow
def test_a_restored_store_is_another_unless_it_was_that_store_already(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    tree = Tree(str(tmp_path / "backups"))
    one, other = store_in(tmp_path / "one"), settings_of(tmp_path / "other")
    kept = _nightly(one, tree)
    whole: dict[str, Any] = {"force": True, "with_artifacts": True, "migrate": True}
    restoring.restore(other, tree.uri, kept, **whole)
    restoring.restore(one, tree.uri, kept, **whole)
    assert identity.known(open_engine(one)) == manifest.load(tree, kept).store
    assert identity.known(open_engine(other)) is None
    newest = _nightly(other, tree)
    assert manifest.complete(tree) == [kept, newest]
    assert _nightly(one, tree) in manifest.complete(tree)
    assert kept not in manifest.complete(tree)


@pytest.mark.slow
def test_a_stack_that_recovers_is_the_store_that_its_destination_names(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    tree, one = Tree(str(tmp_path / "backups")), store_in(tmp_path / "one")
    claim(open_engine(one), one.artifacts_destination, None)
    kept = _nightly(one, tree)
    store = identity.known(open_engine(one))
    # The same stack, its database lost; and another, into which the same backup is recovered.
    lost, other = tmp_path / "lost", settings_of(tmp_path / "other")
    shutil.copytree(one.artifacts_destination, lost / "artifacts")
    whole: dict[str, Any] = {"force": True, "with_artifacts": True, "migrate": True}
    restoring.restore(settings_of(lost), tree.uri, kept, **whole, recovers=True)
    restoring.restore(other, tree.uri, kept, **whole, recovers=True)
    engine = open_engine(settings_of(lost))
    assert (identity.known(engine), identity.parent(engine)) == (store, None)
    claim(engine, str(lost / "artifacts"), None)
    engine = open_engine(other)
    assert (identity.known(engine), identity.parent(engine)) == (None, store)
    # It has a destination of its own by what was brought, and the first's is not its.
    claim(engine, other.artifacts_destination, None)
    with pytest.raises(UserError, match="this one is a copy"):
        claim(engine, one.artifacts_destination, None)


@pytest.mark.slow
def test_a_database_alone_is_restored_by_name_only(tmp_path: Path, store_in: StoreMaker) -> None:
    tree, one = Tree(str(tmp_path / "backups")), store_in(tmp_path / "one")
    alone = _nightly(one, tree, with_artifacts=False)
    with pytest.raises(UserError, match=f"database alone.*name it: .*{alone}"):
        manifest.read(tree, None)
    full = _nightly(one, tree)
    _nightly(one, tree, with_artifacts=False)
    assert manifest.read(tree, None).name == full
    assert manifest.read_for(tree, None, None).name == full
    last = manifest.complete(tree)[-1]
    assert manifest.read(tree, last).artifacts is None


@pytest.mark.slow
def test_backups_of_an_earlier_version_stay_and_are_told(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    tree, one = Tree(str(tmp_path / "backups")), store_in(tmp_path / "one")
    earlier = make.back_up(one, tree).name
    file = tmp_path / "backups" / earlier / manifest.MANIFEST
    given = json.loads(file.read_text())
    del given["store"]
    file.write_text(json.dumps(given | {"format": 1}))
    assert manifest.read_for(tree, None, None).name == earlier
    done = warm.run(
        [TRACKSTACK, "backup", "--to", tree.uri, "--keep", "1"],
        env={"TRACKSTACK_DATA_DIR": str(one.data_dir), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "1 backups name no store" in done.stderr
    assert earlier in done.stderr
    assert len(manifest.complete(tree)) == 2


def _limited(kib: int, one: RuntimeSettings, tree: Tree) -> "subprocess.CompletedProcess[str]":
    """`trackstack backup` where no file may be larger: a disk's refusal, at a size of our own."""
    command = f"ulimit -f {kib}; exec {TRACKSTACK} backup --keep 1 --to {tree.uri}"
    return subprocess.run(
        ["bash", "-c", command],
        env={"TRACKSTACK_DATA_DIR": str(one.data_dir), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_a_backup_that_a_disk_refuses_leaves_nothing_and_the_next_one_is_made(
    tmp_path: Path,
    store_in: StoreMaker,
) -> None:
    tree, one = Tree(str(tmp_path / "backups")), store_in(tmp_path / "one")
    identity.ensure(open_engine(one))
    large = Path(one.artifacts_destination) / "1" / "large.bin"
    large.write_bytes(b"x" * (8 << 20))
    for kib in (64, 4096):
        for _ in range(2):
            done = _limited(kib, one, tree)
            assert done.returncode == 1
            assert f"the backup to {tree.uri} failed" in done.stderr
            assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert manifest.names(tree) == {}
    assert _limited(1 << 20, one, tree).returncode == 0
    assert len(manifest.complete(tree)) == 1


def _lose(backup: Path, what: str) -> None:
    if what == "a table":
        (backup / "database" / "runs.jsonl.gz").unlink()
    elif what == "a part of a table":
        os.truncate(backup / "database" / "runs.jsonl.gz", 5)
    elif what == "the listing":
        (backup / "artifacts.jsonl.gz").unlink()
    elif what == "an artifact":
        next((backup / "artifacts").rglob("weights.bin")).unlink()
    elif what == "a part of an artifact":
        os.truncate(next((backup / "artifacts").rglob("weights.bin")), 5)
    else:
        shutil.rmtree(backup / what)


@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    [
        "database",
        "artifacts",
        "a table",
        "a part of a table",
        "the listing",
        "an artifact",
        "a part of an artifact",
    ],
)
def test_a_backup_that_misses_files_stands_in_for_none_and_is_told(
    what: str, tmp_path: Path, store_in: StoreMaker
) -> None:
    tree, one = Tree(str(tmp_path / "backups")), store_in(tmp_path / "one")
    good, broken = make.back_up(one, tree), make.back_up(one, tree)
    _lose(tmp_path / "backups" / broken.name, what)
    retired = make.retire(tree, good.store, Rule(1))
    assert retired == make.Retired([], [broken.name], [])
    made = _nightly(one, tree)
    assert manifest.complete(tree) == [broken.name, made]


@pytest.mark.slow
def test_what_a_killed_backup_left_goes_before_the_next_one(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    tree, one = Tree(str(tmp_path / "backups")), store_in(tmp_path / "one")
    store = identity.ensure(open_engine(one))
    begun, theirs, nobodys = (
        f"{manifest.new_name(datetime.now(timezone.utc))[:-4]}{end}"
        for end in ("3fa0", "3fa1", "3fa2")
    )
    for name, owner in ((begun, store), (theirs, "another's"), (nobodys, None)):
        folder = tmp_path / "backups" / name / "database"
        folder.mkdir(parents=True)
        if owner:
            (folder.parent / "store").write_text(owner)
    done = make.back_up(one, tree)
    assert manifest.names(tree) == {theirs: False, nobodys: False, done.name: True}


@pytest.mark.slow
def test_a_copy_of_an_old_backup_is_left_alone_while_it_comes_in(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    """It has no manifest yet, and its name is that of a backup of months ago."""
    tree, one = Tree(str(tmp_path / "backups")), store_in(tmp_path / "one")
    coming = manifest.new_name(datetime.now(timezone.utc) - timedelta(days=90))
    (tmp_path / "backups" / coming / "database").mkdir(parents=True)
    made = _nightly(one, tree)
    assert manifest.names(tree) == {coming: False, made: True}


@pytest.mark.slow
@pytest.mark.parametrize("where", ["file", "file/below", "/proc/nowhere"])
def test_a_place_that_is_none_is_a_line(where: str, tmp_path: Path, store_in: StoreMaker) -> None:
    one = store_in(tmp_path / "one")
    (tmp_path / "file").write_text("")
    done = _limited(1 << 20, one, Tree(str(tmp_path / where)))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert str(tmp_path / where) in done.stderr or where in done.stderr


@pytest.mark.slow
def test_a_store_that_lost_most_is_backed_up_with_an_alarm_and_nothing_goes(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    tree, one = Tree(str(tmp_path / "backups")), store_in(tmp_path / "one")
    good = _nightly(one, tree)
    for file in list(Path(one.artifacts_destination).rglob("weights.bin"))[1:]:
        file.unlink()
    for _ in range(2):
        done = warm.run(
            [TRACKSTACK, "backup", "--to", tree.uri, "--keep", "2", "--json"],
            env={"TRACKSTACK_DATA_DIR": str(one.data_dir), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 3, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert "less than 50 % is left" in done.stderr
        told = json.loads(done.stdout)
        assert told["deleted"] == []
        assert told["alarm"] in done.stderr
    assert len(manifest.complete(tree)) == 3
    assert good in manifest.complete(tree)
