"""The drill: the newest backup of the store is restored into a scratch place, and timed."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runtime.artifacts.tree import Tree
from runtime.backup.format.manifest import Manifest
from runtime.errors import ALARM
from runtime.jobs.scheduler import arguments_of
from runtime.jobs.schedules import schedules
from runtime.settings import RuntimeSettings, load
from tests import warm
from tests.warm import TRACKSTACK


def _drill(store: Path, place: Path | str) -> "subprocess.CompletedProcess[str]":
    arguments = arguments_of("drill", load({}))
    return warm.run(
        [TRACKSTACK, *arguments],
        env={
            **os.environ,
            "TRACKSTACK_DATA_DIR": str(store),
            "TRACKSTACK_BACKUP_DESTINATION": str(place),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_drill_is_a_job_with_a_schedule_of_its_own() -> None:
    weekly = {"TRACKSTACK_BACKUP_DRILL_SCHEDULE": "0 4 * * 0"}
    assert schedules(load(weekly))["drill"] == "0 4 * * 0"
    assert "drill" not in schedules(load({}))
    done = warm.run(
        [TRACKSTACK, "scheduler"],
        env={**os.environ, **weekly},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "TRACKSTACK_BACKUP_DRILL_SCHEDULE needs TRACKSTACK_BACKUP_DESTINATION" in done.stderr


@pytest.mark.slow
def test_a_drill_tells_how_long_it_took_and_whether_the_backup_matched(
    made: tuple[Tree, Manifest], filled: RuntimeSettings, tmp_path: Path
) -> None:
    tree, of = made
    well = _drill(filled.data_dir, tree.uri)
    assert well.returncode == 0, well.stderr
    told = json.loads(well.stdout)
    assert (told["name"], told["rows"], told["problems"]) == (of.name, of.rows, [])
    assert told["seconds"] > 0
    for number, broken in enumerate(("weights.bin", "runs.jsonl.gz")):
        place = tmp_path / str(number)
        shutil.copytree(tree.uri, place)
        next(place.rglob(broken)).write_bytes(b"other")
        done = _drill(filled.data_dir, place)
        assert done.returncode == ALARM, done.stderr
        assert broken in done.stderr
        assert "Traceback" not in done.stderr
        assert json.loads(done.stdout)["problems"]
