"""Odd places and artifacts: a backup of all that can be read, or one line that says why not."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runtime.artifacts import tree as trees
from runtime.artifacts.tree import Tree
from runtime.backup import filling, make
from runtime.backup.format import manifest
from runtime.backup.retention import Rule
from runtime.database.uri import make_directories, store_uri
from runtime.settings import RuntimeSettings
from tests import warm
from tests.runtime.filled import StoreMaker, settings_of
from tests.runtime.serving import serving
from tests.warm import TRACKSTACK

_ODD = ["50%41 of it?", "a b#ü%"]


def _backup(one: RuntimeSettings, to: str, *more: str) -> "subprocess.CompletedProcess[str]":
    return warm.run(
        [TRACKSTACK, "backup", "--to", to, *more],
        env={"TRACKSTACK_DATA_DIR": str(one.data_dir), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", _ODD)
def test_a_folder_s_name_is_no_uri(name: str, tmp_path: Path, store_in: StoreMaker) -> None:
    one = store_in(tmp_path / name)
    tree = Tree(str(tmp_path / f"to {name}"))
    of = make.back_up(one, tree)
    assert of.artifacts
    assert of.artifacts.files == 3
    assert filling.verify(tree, None) == (of, [])
    assert manifest.complete(tree) == [of.name]
    assert make.retire(tree, of.store, Rule(1)).of_nobody == []


@pytest.mark.slow
def test_a_server_keeps_artifacts_where_its_backups_look_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = settings_of(tmp_path / "50%41 of it")
    with serving(one.data_dir) as server:
        client = server.client(monkeypatch)
        run = client.create_run("0").info.run_id
        client.log_text(run, "text", "deep/file.txt")
        of = make.back_up(one, Tree(str(tmp_path / "to")))
    assert of.artifacts
    assert of.artifacts.files == 1


@pytest.mark.slow
def test_what_is_no_file_is_left_out_and_named(tmp_path: Path, store_in: StoreMaker) -> None:
    one = store_in(tmp_path / "one")
    root = Path(one.artifacts_destination)
    (root / "1" / "dangling").symlink_to(tmp_path / "nowhere")
    (root / "1" / "itself").symlink_to("itself")
    (root / "1" / "around").symlink_to(root)
    os.mkfifo(root / "1" / "pipe")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("followed")
    (root / "2").symlink_to(outside)
    to = str(tmp_path / "to")
    done = _backup(one, to)
    assert done.returncode == 0, done.stderr
    assert "4 artifacts" in done.stdout
    for odd in ("dangling", "itself", "around", "pipe"):
        assert f"1/{odd}" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert filling.verify(Tree(to), None)[1] == []


@pytest.mark.slow
def test_no_artifact_of_a_store_that_has_some_is_an_error(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    """As where their disk is not mounted."""
    one = store_in(tmp_path / "one")
    to = str(tmp_path / "to")
    shutil.rmtree(one.artifacts_destination)
    for _ in range(2):
        done = _backup(one, to)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert one.artifacts_destination in done.stderr
        assert "--no-artifacts" in done.stderr
        assert manifest.names(Tree(to)) == {}
    assert _backup(one, to, "--no-artifacts").returncode == 0


@pytest.mark.slow
def test_no_artifact_of_runs_that_may_have_none_is_a_warning(tmp_path: Path) -> None:
    import mlflow

    one = settings_of(tmp_path / "one")
    make_directories(one)
    client = mlflow.MlflowClient(tracking_uri=store_uri(one))
    experiment = client.create_experiment("e", artifact_location="mlflow-artifacts:/1")
    assert _backup(one, str(tmp_path / "to")).stderr == ""
    client.create_run(experiment)
    done = _backup(one, str(tmp_path / "to"))
    assert done.returncode == 0
    assert "1 runs" in done.stderr
    assert one.artifacts_destination in done.stderr


@pytest.mark.slow
def test_a_place_that_cannot_be_written_is_a_line(tmp_path: Path, store_in: StoreMaker) -> None:
    """Where even an administrator may not: a file system of the kernel's own."""
    one = store_in(tmp_path / "one")
    for command in ([], ["list"], ["verify"]):
        done = _backup(one, "/proc/sys/kernel", *command)
        assert done.returncode == (0 if command == ["list"] else 1)
        assert len(done.stderr.strip().splitlines()) == (0 if command == ["list"] else 1)


def test_a_file_on_its_way_in_is_named_as_mlflow_names_it() -> None:
    from mlflow.store.artifact import local_artifact_repo

    assert vars(local_artifact_repo)["_TEMP_ARTIFACT_PREFIX"] == trees.COMING
