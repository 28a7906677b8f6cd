import subprocess
from pathlib import Path

import pytest

from tools.engine.install import MINIMUM, VERSION, parse_version, usable

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "version"),
    [("v3.255.0", (3, 255, 0)), ("go version go1.26.8 linux/amd64", (1, 26, 8)), ("dev", (0,))],
)
def test_a_version_is_read_from_what_a_tool_prints(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


def test_the_pinned_engine_is_new_enough_and_the_one_that_is_built() -> None:
    assert parse_version(VERSION) >= MINIMUM
    modules = (_ROOT / "tools" / "engine" / "go.mod").read_text()
    assert f"github.com/pulumi/pulumi/pkg/v3 v{VERSION}" in modules


def test_a_folder_without_all_parts_is_no_engine(tmp_path: Path) -> None:
    (tmp_path / "pulumi").write_text("#!/bin/sh\necho v9.0.0\n")
    (tmp_path / "pulumi").chmod(0o755)
    assert not usable(tmp_path)


def test_the_environment_is_refused_outside_the_project(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f". {_ROOT}/env"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "enter it as '. ./env'" in done.stderr


@pytest.mark.parametrize("elsewhere", [{}, {"PULUMI_BACKEND_URL": "s3://states"}])
def test_a_backend_of_the_user_s_own_is_used(tmp_path: Path, elsewhere: dict[str, str]) -> None:
    """State lies in the project, unless the user is logged in elsewhere."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to("/bin/true")
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "env").write_text((_ROOT / "env").read_text())
    done = subprocess.run(
        ["sh", "-c", '. ./env && echo "$PULUMI_BACKEND_URL"'],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **elsewhere},
        capture_output=True,
        text=True,
    )
    wanted = elsewhere.get("PULUMI_BACKEND_URL", f"file://{tmp_path}/.trackstack/state")
    assert done.stdout.strip() == wanted


@pytest.mark.parametrize("stack", ["local", "local-container"])
def test_no_stack_file_of_one_machine_is_in_the_repository(stack: str) -> None:
    """Its salt is of that machine's passphrase: everybody else's first `make up` would fail."""
    name = f"stacks/Pulumi.{stack}.yaml"
    tracked = subprocess.run(
        ["git", "ls-files", "--", name], cwd=_ROOT, capture_output=True, text=True
    )
    assert tracked.stdout == ""
    assert f"/{name}" in (_ROOT / ".gitignore").read_text().splitlines()


def test_nothing_that_a_program_made_beside_the_source_is_in_the_repository() -> None:
    """Such as the store that MLflow makes where nobody names one."""
    listed = subprocess.run(["git", "ls-files"], cwd=_ROOT, capture_output=True, text=True)
    there = [path for name in listed.stdout.splitlines() if (path := _ROOT / name).is_file()]
    assert len(there) > 100
    binary = {path for path in there if b"\0" in path.read_bytes()}
    assert {path for path in binary if path.parent != _ROOT / "docs" / "images"} == set()
