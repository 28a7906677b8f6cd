"""The data directory of a local stack: what goes with it, what stays, and what may be one."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from infra.clouds.local import directory, supervisor
from infra.errors import StackError
from infra.place import read_place
from infra.plan import make_plan
from infra.plan.local import LocalPlan
from infra.settings import parse

_OURS = ("store", "artifacts", "secrets", "state", "logs", "programs")


def _provider() -> Any:
    return directory._DataDirectoryProvider()  # pyright: ignore[reportPrivateUsage]


def _made(folder: Path) -> Path:
    _provider().create({"data_dir": str(folder), "keep_data": False})
    (folder / "store" / "mydb.sqlite").touch()
    return folder


def test_what_others_keep_in_the_directory_outlives_it(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "photos").mkdir()
    _made(tmp_path)
    _provider().delete("", {"data_dir": str(tmp_path), "keep_data": False})
    assert {path.name for path in tmp_path.iterdir()} == {"thesis.tex", "photos"}


def test_a_directory_of_ours_alone_goes_as_a_whole_and_a_link_in_it_is_not_followed(
    tmp_path: Path,
) -> None:
    big = tmp_path / "big-disk"
    big.mkdir()
    (big / "model.bin").touch()
    data = _made(tmp_path / "d")
    (data / "artifacts").rmdir()
    (data / "artifacts").symlink_to(big)
    _provider().delete("", {"data_dir": str(data), "keep_data": False})
    assert not data.exists()
    assert (big / "model.bin").exists()


def test_a_stack_does_not_move_into_a_folder_of_somebody_s_files(tmp_path: Path) -> None:
    directory.check(str(tmp_path / "not-there"))
    directory.check(str(tmp_path))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "theirs.log").touch()
    with pytest.raises(StackError, match=r"trackstack:dataDir: .*logs.* empty"):
        directory.check(str(tmp_path))


def test_what_a_stack_left_there_is_its_directory_again(tmp_path: Path) -> None:
    kept = _made(tmp_path / "kept")
    _provider().delete("", {"data_dir": str(kept), "keep_data": True})
    (kept / "notes.txt").touch()
    directory.check(str(kept))
    # One of an earlier version, which wrote no mark.
    (kept / ".trackstack").unlink()
    directory.check(str(kept))
    begun = tmp_path / "begun"
    for name in _OURS:
        (begun / name).mkdir(parents=True)
    directory.check(str(begun))


@pytest.mark.parametrize(
    "given", ["/", ".", "..", "../..", "~", "~/..", "/etc", "/usr", "/home", "./infra/.."]
)
@pytest.mark.parametrize("compute", ["process", "container"])
def test_a_directory_that_holds_the_machine_or_the_project_is_refused(
    given: str, compute: str, tmp_path: Path
) -> None:
    settings = parse({"cloud": "local", "compute": compute, "dataDir": given})
    root = tmp_path / "project"
    with pytest.raises(StackError, match=r"trackstack:dataDir: .* a directory of its own"):
        make_plan(settings, read_place(settings, "a", frozenset(), root))


def test_a_directory_beside_the_project_and_the_default_are_taken_as_they_are_written() -> None:
    for given, wanted in (
        ("../data", "/project/../data"),
        ("~/mlflow", str(Path("~/mlflow").expanduser())),
        ("/srv/mlflow", "/srv/mlflow"),
        (None, "/project/.trackstack/data/a"),
    ):
        keys = {"cloud": "local"} | ({"dataDir": given} if given else {})
        plan = make_plan(parse(keys), read_place(parse(keys), "a", frozenset(), Path("/project")))
        assert isinstance(plan, LocalPlan)
        assert plan.data_dir == wanted


@pytest.mark.slow
@pytest.mark.parametrize("keep_data", [False, True])
def test_what_runs_in_a_directory_is_stopped_before_the_directory_goes(
    keep_data: bool, tmp_path: Path
) -> None:
    data = _made(tmp_path / "d")
    supervisor.start(str(data))
    pid = supervisor.running_pid(str(data))
    assert pid
    _provider().delete("", {"data_dir": str(data), "keep_data": keep_data})
    assert not psutil.pid_exists(pid)
    assert (data / "store" / "mydb.sqlite").exists() is keep_data


@pytest.mark.slow
def test_a_supervisor_is_found_and_stopped_though_its_files_are_gone(tmp_path: Path) -> None:
    data = _made(tmp_path / "d")
    supervisor.start(str(data))
    pid = supervisor.running_pid(str(data))
    assert pid
    for name in ("supervisord.pid", "sock"):
        (data / name).unlink()
    assert supervisor.running_pid(str(data)) == pid
    supervisor.stop(str(data))
    assert not psutil.pid_exists(pid)


def test_another_s_process_that_names_the_file_is_no_supervisor(tmp_path: Path) -> None:
    """An editor that has the configuration open, say."""
    data = _made(tmp_path / "d")
    code = "import sys; sys.stdin.read()"
    command = [sys.executable, "-c", code, f"{data}/supervisord.conf"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as editor:
        assert supervisor.running_pid(str(data)) is None
        (data / "supervisord.pid").write_text(str(editor.pid))
        assert supervisor.running_pid(str(data)) is None
