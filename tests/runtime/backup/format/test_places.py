"""Backups in the place where an earlier version kept them: found, listed, restored, retired."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from runtime.artifacts.tree import Tree
from runtime.backup import filling, make
from runtime.backup import restore as restoring
from runtime.backup.format import manifest
from runtime.backup.retention import Rule
from runtime.settings import RuntimeSettings
from tests import warm
from tests.runtime.backup.stores import artifacts
from tests.runtime.filled import StoreMaker, settings_of
from tests.warm import TRACKSTACK

pytestmark = pytest.mark.slow


def _places(settings: RuntimeSettings, folder: Path) -> RuntimeSettings:
    own, earlier = str(folder / "own"), str(folder / "earlier")
    return settings.model_copy(update={"backup_destination": own, "earlier_backups": earlier})


def test_what_lies_in_the_earlier_place_is_found_and_goes_as_what_lies_in_the_own(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    settings = _places(store_in(tmp_path / "data"), tmp_path)
    earlier, own = Tree(str(tmp_path / "earlier")), Tree(str(tmp_path / "own"))
    old = make.back_up(settings, earlier)
    both = make.destination(settings, None)

    assert manifest.complete(both) == [old.name]
    assert filling.verify(both, None) == (old, [])
    new = settings_of(tmp_path / "new")
    whole: dict[str, Any] = {"force": False, "with_artifacts": True, "migrate": True}
    restoring.restore(_places(new, tmp_path), None, None, **whole)
    assert artifacts(new) == artifacts(settings)

    made = make.back_up(settings, both)
    assert (manifest.complete(earlier), manifest.complete(own)) == ([old.name], [made.name])
    assert manifest.complete(both) == [old.name, made.name]
    assert filling.verify(both, None) == (made, [])
    # A second one in the own place: of three that are kept as two, the earlier place's goes.
    again = make.back_up(settings, both)
    retired = make.retire(both, again.store, Rule(2), just_made=again.name)
    assert retired.deleted == [old.name]
    assert manifest.complete(earlier) == []
    assert manifest.complete(own) == [made.name, again.name]


def test_half_a_copy_in_the_own_place_hides_no_whole_backup_in_the_earlier_one(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    settings = _places(store_in(tmp_path / "data"), tmp_path)
    old = make.back_up(settings, Tree(str(tmp_path / "earlier")))
    half = tmp_path / "own" / old.name
    (half / "database").mkdir(parents=True)
    assert manifest.read(make.destination(settings, None), None) == old


def test_where_a_whole_backup_lies_is_looked_up_once(
    tmp_path: Path, store_in: StoreMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _places(store_in(tmp_path / "data"), tmp_path)
    old = make.back_up(settings, Tree(str(tmp_path / "earlier")))
    both, looked = make.destination(settings, None), list[str]()
    has = Tree.has

    def look(tree: Tree, path: str) -> bool:
        looked.append(path)
        return has(tree, path)

    monkeypatch.setattr(Tree, "has", look)
    for part in old.tables.values():
        both.fetch(f"{old.name}/{part.path}", tmp_path / "part")
        both.at(f"{old.name}/database")
    assert looked == [f"{old.name}/{manifest.MANIFEST}"] * 2
    # One that is still to be made is found where it then is.
    assert both.list("20200101T000000Z-0000") == []
    shutil.copytree(tmp_path / "earlier" / old.name, tmp_path / "earlier" / "20200101T000000Z-0000")
    assert both.at("20200101T000000Z-0000").uri.startswith(str(tmp_path / "earlier"))


def test_the_command_lists_both_and_says_which_lies_where(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    settings = store_in(tmp_path / "data")
    earlier = str(tmp_path / "earlier")
    of = make.back_up(settings, Tree(earlier))

    def listed(*words: str, **variables: str) -> str:
        done = warm.run(
            [TRACKSTACK, "backup", *words],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    own = str(tmp_path / "own")
    shown = listed("--to", own, "--earlier", earlier, "list")
    assert shown.startswith(of.name)
    assert f"in {earlier}" in shown
    by_variable = {
        "TRACKSTACK_BACKUP_DESTINATION": own,
        "TRACKSTACK_EARLIER_BACKUPS": earlier,
    }
    told = json.loads(listed("list", "--json", **by_variable))
    assert [(each["name"], each["place"]) for each in told["backups"]] == [(of.name, earlier)]
    # Another place that somebody names is that place alone.
    assert listed("--to", own, "list", **by_variable) == ""
