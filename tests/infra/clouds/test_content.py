"""What is deployed is known by its content, and not by its version alone."""

import shutil
from pathlib import Path

import pytest

from infra.clouds.shared import content
from infra.place import ROOT
from tests.infra.recording import deploy_here

_CODE = ("requirements.lock", "runtime")


@pytest.mark.parametrize("service", ["LocalServer", "LocalScheduler"])
def test_processes_are_restarted_where_the_code_that_they_run_is_another(service: str) -> None:
    """A fix must not wait for a new version: the processes keep what they have loaded."""
    _, made = deploy_here({"cloud": "local"})
    [inputs] = made.of(service)
    assert inputs["code"] == content.digest(ROOT, _CODE)


def test_a_changed_file_a_new_name_and_the_right_to_run_are_other_content(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "runtime" / "systemd", tmp_path / "runtime")
    file = next(f for f in sorted((tmp_path / "runtime").iterdir()) if f.suffix == ".py")
    seen = {content.digest(tmp_path, ["runtime"])}
    for change in (
        lambda: file.write_text(file.read_text() + "\n"),
        lambda: file.rename(file.with_suffix(".other")),
        lambda: file.with_suffix(".other").chmod(0o755),
    ):
        change()
        assert len(seen) < len(seen := seen | {content.digest(tmp_path, ["runtime"])})


def test_what_python_writes_beside_the_code_is_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "runtime" / "__pycache__").mkdir(parents=True)
    before = content.digest(tmp_path, ["runtime"])
    (tmp_path / "runtime" / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert content.digest(tmp_path, ["runtime"]) == before
