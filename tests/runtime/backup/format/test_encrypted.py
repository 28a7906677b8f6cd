"""Backups that are encrypted: every command understands them, and without the key none opens."""

import io
import json
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from runtime.artifacts.tree import Tree
from runtime.backup import filling, make
from runtime.backup import restore as restoring
from runtime.backup.format import carry, manifest, sealed
from runtime.backup.format.manifest import Manifest
from runtime.backup.retention import Rule
from runtime.errors import UserError
from runtime.settings import RuntimeSettings
from tests import warm
from tests.runtime.backup.stores import artifacts, client_of
from tests.runtime.filled import settings_of
from tests.warm import TRACKSTACK

pytestmark = pytest.mark.slow

_KEY = "the-key-of-this-store-and-no-other-one-1"
_OTHER = "another-key-that-opens-nothing-here-2"
_WHOLE: dict[str, Any] = {"force": False, "with_artifacts": True, "migrate": True}


def _with_key(settings: RuntimeSettings, to: Path, key: str | None = _KEY, **more: Any) -> Any:
    given = {"backup_destination": str(to), "backup_key": SecretStr(key) if key else None}
    return settings.model_copy(update=given | more)


@dataclass(frozen=True)
class _Made:
    """A store, and a place with one encrypted backup of it."""

    settings: RuntimeSettings
    place: Path
    of: Manifest

    @property
    def folder(self) -> Path:
        return self.place / self.of.name


@pytest.fixture(scope="module")
def _module(tmp_path_factory: pytest.TempPathFactory, filled: RuntimeSettings) -> _Made:
    folder = tmp_path_factory.mktemp("encrypted")
    place = folder / "backups"
    shutil.copytree(filled.data_dir, folder / "data")
    settings = _with_key(settings_of(folder / "data"), place, backup_encryption=True)
    return _Made(settings, place, make.back_up(settings, make.destination(settings, None)))


@pytest.fixture
def made(_module: _Made, tmp_path: Path) -> _Made:
    """A copy for one test."""
    shutil.copytree(_module.place, tmp_path / "backups")
    settings = _with_key(_module.settings, tmp_path / "backups", backup_encryption=True)
    return _Made(settings, tmp_path / "backups", _module.of)


def test_nothing_of_the_store_lies_there_in_plain_and_a_restore_has_it_all(
    made: _Made, tmp_path: Path
) -> None:
    files = [file for file in made.folder.rglob("*") if file.is_file()]
    assert len(files) > 10
    plain = [file.name for file in files if not sealed.is_sealed(file.read_bytes())]
    # Whose it is, for the next backup of that store that finds it unfinished.
    assert plain == ["store"]
    assert made.of.sealed

    tree = make.destination(made.settings, None)
    assert filling.verify(tree, None, ["postgresql"]) == (made.of, [])
    new = _with_key(settings_of(tmp_path / "new"), made.place)
    done = restoring.restore(new, None, None, **_WHOLE)
    assert done["rows"] == made.of.rows
    assert artifacts(new) == artifacts(made.settings)
    names = [each.name for each in client_of(new).search_experiments()]
    assert names == [each.name for each in client_of(made.settings).search_experiments()]


@pytest.mark.parametrize("key", [None, _OTHER])
def test_without_the_key_each_command_says_so_in_a_line_and_deletes_nothing(
    made: _Made, tmp_path: Path, key: str | None
) -> None:
    environment = {
        **os.environ,
        "TRACKSTACK_DATA_DIR": str(tmp_path / "new"),
        "TRACKSTACK_BACKUP_DESTINATION": str(made.place),
        **({"TRACKSTACK_BACKUP_KEY": key} if key else {}),
    }
    for words in (
        ["backup", "verify"],
        ["backup", "drill"],
        ["restore"],
        ["backup", "--to", str(tmp_path / "there"), "copy", "--from", str(made.place)],
    ):
        done = warm.run([TRACKSTACK, *words], env=environment, capture_output=True, text=True)
        assert done.returncode, words
        said = f"it is encrypted with the key {sealed.name_of(_KEY)}"
        assert said in done.stderr, (words, done.stderr)
        assert "TRACKSTACK_BACKUP_KEY_FILE" in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
    listed = warm.run(
        [TRACKSTACK, "backup", "list"], env=environment, capture_output=True, text=True
    )
    assert listed.stdout.startswith(f"{made.of.name}  cannot be read"), listed.stderr
    settings = _with_key(made.settings, made.place, key, backup_encryption=bool(key))
    tree = make.destination(settings, None)
    for _ in range(2):
        of = make.back_up(settings, tree)
        retired = make.retire(tree, of.store, Rule(1), just_made=of.name)
        assert made.of.name in retired.of_nobody
    assert made.of.name in manifest.complete(tree)


def test_plain_and_encrypted_ones_of_one_store_retire_each_other(made: _Made) -> None:
    plain = _with_key(made.settings, made.place, backup_encryption=False)
    tree = make.destination(plain, None)
    of = make.back_up(plain, tree)
    assert not of.sealed
    retired = make.retire(tree, of.store, Rule(1), just_made=of.name)
    assert retired.deleted == [made.of.name]


def test_a_new_key_opens_the_older_backups_by_the_earlier_one(made: _Made) -> None:
    turned = _with_key(made.settings, made.place, _OTHER, earlier_backup_keys=SecretStr(_KEY))
    tree = make.destination(turned, None)
    assert filling.verify(tree, made.of.name) == (made.of, [])
    of = make.back_up(turned, tree)
    assert filling.verify(tree, of.name) == (of, [])
    with pytest.raises(UserError, match="encrypted with the key"):
        manifest.load(make.destination(made.settings, None), of.name)


def test_a_copy_and_what_is_sent_stay_encrypted_by_their_own_key(
    made: _Made, tmp_path: Path
) -> None:
    source = make.destination(made.settings, None)
    there = make.destination(_with_key(made.settings, tmp_path / "there"), None)
    assert carry.copy(source, there, None) == made.of
    assert filling.verify(there, None) == (made.of, [])

    out = io.BytesIO()
    carry.send(source, None, out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert not content or sealed.is_sealed(content.read(100)), member.name


@pytest.mark.parametrize("what", ["changed", "cut", "exchanged", "another manifest"])
def test_what_was_tampered_with_is_found_before_a_row_changes(
    made: _Made, tmp_path: Path, what: str
) -> None:
    first, second = sorted(made.folder.rglob("weights.bin"))[:2]
    if what == "changed":
        content = bytearray(first.read_bytes())
        content[60] ^= 1
        first.write_bytes(content)
    elif what == "cut":
        os.truncate(first, first.stat().st_size - 20)
    elif what == "exchanged":
        first.replace(second)
    else:
        # Of another backup, by the same key.
        of = make.back_up(made.settings, make.destination(made.settings, None))
        shutil.copy(made.place / of.name / "manifest.json", made.folder)
    tree = make.destination(made.settings, None)
    new = _with_key(settings_of(tmp_path / "new"), made.place)
    with pytest.raises(UserError, match=r"broken|cannot be decrypted"):
        restoring.restore(new, None, made.of.name, **_WHOLE)
    assert artifacts(new) == {}
    if what != "another manifest":
        _, problems = filling.verify(tree, made.of.name)
        assert problems


def test_asking_for_encryption_without_a_key_or_with_a_weak_one_is_refused(
    made: _Made, tmp_path: Path
) -> None:
    place = tmp_path / "none"
    with pytest.raises(UserError, match="by which key"):
        make.destination(_with_key(made.settings, place, None, backup_encryption=True), None)
    with pytest.raises(UserError, match="32 characters at least"):
        make.destination(_with_key(made.settings, place, "short"), None)


def test_the_listing_says_what_is_encrypted(made: _Made) -> None:
    environment = {**os.environ, "TRACKSTACK_BACKUP_KEY": _KEY}
    listing = [TRACKSTACK, "backup", "--to", str(made.place), "list"]
    done = warm.run(listing, env=environment, capture_output=True, text=True, check=True)
    assert ", encrypted" in done.stdout
    done = warm.run(
        [*listing, "--json"], env=environment, capture_output=True, text=True, check=True
    )
    assert [each["sealed"] for each in json.loads(done.stdout)["backups"]] == [True]
    assert Tree(str(made.place)).list()
