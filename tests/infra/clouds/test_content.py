"""What is deployed is known by its content, and not by its version alone."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from infra.clouds.shared import content, image
from infra.place import ROOT
from infra.plan.image import ImagePlan
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


def _checkout(folder: Path, *, mode: int) -> ImagePlan:
    """Of two files, one of which runs, with the rights that a umask left."""
    (folder / "runtime" / "sub").mkdir(parents=True)
    for name, runs in (
        ("runtime/a.py", False),
        ("runtime/sub/b.sh", True),
        (".dockerignore", False),
    ):
        (folder / name).write_text(name)
        (folder / name).chmod(mode | 0o100 * runs)
    inputs, arguments = ("runtime",), (("EXTRAS", "oci"),)
    return ImagePlan(None, folder, "runtime/Dockerfile", inputs, arguments, "v1")


def test_a_checkout_s_umask_and_place_are_no_part_of_an_image(tmp_path: Path) -> None:
    plans = [_checkout(tmp_path / str(mode), mode=mode) for mode in (0o644, 0o664, 0o600)]
    assert len({image.content_tag(plan) for plan in plans}) == 1
    seen: set[tuple[str, str, tuple[tuple[str, int], ...]]] = set()
    for plan in plans:
        context = image.context(plan)
        files = sorted(path for path in context.rglob("*") if path.is_file())
        rights = tuple((p.relative_to(context).as_posix(), p.stat().st_mode) for p in files)
        seen.add((context.name, (context / "runtime" / "a.py").read_text(), rights))
        assert image.context(plan) == context
        assert [path.name for path in context.parent.iterdir()] == [context.name]
    [(_, _, rights)] = seen
    assert {name: mode & 0o777 for name, mode in rights} == {
        ".dockerignore": 0o644,
        "runtime/a.py": 0o644,
        "runtime/sub/b.sh": 0o755,
    }


def test_an_image_for_another_platform_is_another_and_one_for_the_usual_has_its_old_tag(
    tmp_path: Path,
) -> None:
    plan = _checkout(tmp_path / "a", mode=0o644)
    assert image.content_tag(plan) == content.digest(plan.root, plan.inputs, plan.arguments)
    assert image.content_tag(replace(plan, platform="linux/arm64")) != image.content_tag(plan)


def test_a_build_says_its_platform_and_no_commit() -> None:
    _, made = deploy_here({"cloud": "local", "compute": "container"})
    [inputs] = made.opened("Image")
    assert inputs["build"]["platform"] == "linux/amd64"
    assert inputs["build"]["args"].keys() >= {"VERSION", "BASE_IMAGE"}
    assert "REVISION" not in inputs["build"]["args"]
