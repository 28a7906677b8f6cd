"""`. ./env`: what is typed after it speaks to a stack, by the real commands and a real shell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.place import ROOT

_SHELLS = [shell for shell in ("dash", "bash", "zsh") if shutil.which(shell)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project with a state of its own, in which there is no stack yet."""
    folder = tmp_path / "project"
    (folder / ".trackstack").mkdir(parents=True)
    (folder / "stacks").mkdir()
    (folder / "stacks" / "Pulumi.prod.yaml").touch()
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("env", "infra", ".venv", ".trackstack/engine"):
        (folder / name).symlink_to(ROOT / name)
    (tmp_path / "state").mkdir()
    return folder


def _typed(project: Path, line: str, shell: str = "sh") -> "subprocess.CompletedProcess[str]":
    state = {
        "PULUMI_BACKEND_URL": (project.parent / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "p",
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(project.parent),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }
    return subprocess.run(
        [shell, "-c", line], cwd=project, env=state, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("shell", _SHELLS)
def test_no_second_store_is_made_unasked(project: Path, shell: str) -> None:
    done = _typed(project, ". ./env && trackstack server", shell)
    assert done.returncode == 2
    assert "make up" in done.stderr
    assert not (project / ".trackstack" / "data").exists()


@pytest.mark.parametrize("shell", _SHELLS)
def test_commands_on_a_store_are_the_stack_s(project: Path, shell: str) -> None:
    # It is not there; from another folder, too.
    done = _typed(project, ". ./env && cd / && trackstack gc --dry-run", shell)
    assert done.returncode == 1
    assert "no stack named 'local'" in done.stderr
    done = _typed(project, "STACK=prod; . ./env && trackstack doctor", shell)
    assert "no stack named 'prod'" in done.stderr


def test_a_stack_is_chosen_by_its_name_for_make_too(project: Path) -> None:
    done = _typed(project, ". ./env prod && trackstack doctor", "bash")
    assert "speak to the stack prod" in done.stderr
    assert "no stack named 'prod'" in done.stderr
    made = _typed(project, ". ./env prod 2>/dev/null && make -n backup", "bash")
    assert 'infra.operations.run "prod" backup' in made.stdout
    # A word that names no stack may be a script's own.
    done = _typed(project, ". ./env porridge && trackstack doctor", "bash")
    assert "no stack named 'local'" in done.stderr


def test_what_is_about_another_store_or_none_is_left_alone(project: Path) -> None:
    done = _typed(project, ". ./env && trackstack gc --help && trackstack --version")
    assert (done.returncode, done.stderr) == (0, "")
    assert "signed in nowhere" in _typed(project, ". ./env && trackstack whoami").stderr
    own = _typed(project, ". ./env && TRACKSTACK_DATA_DIR=x trackstack token list").stderr
    assert "no stack named" not in own
    asked = _typed(project, ". ./env && MLFLOW_TRACKING_URI=http://127.0.0.1:9 trackstack status")
    assert "signed in" in asked.stderr or "nothing listens" in asked.stderr


@pytest.mark.parametrize("shell", _SHELLS)
def test_a_company_s_proxy_is_not_asked_for_this_machine(project: Path, shell: str) -> None:
    def told(before: str) -> list[str]:
        done = _typed(project, f'{before} . ./env && echo "$NO_PROXY" "$no_proxy"', shell)
        return done.stdout.split()

    proxy = "export HTTPS_PROXY=http://proxy.example:3128;"
    assert told("") == []
    assert told(proxy) == ["localhost,127.0.0.1"] * 2
    assert told(f"{proxy} export NO_PROXY=.corp;") == [".corp,localhost,127.0.0.1"] * 2
    assert told(f"{proxy} export no_proxy=localhost,.corp;") == ["localhost,.corp,127.0.0.1"] * 2
    assert told(f"{proxy} export no_proxy=127.0.0.1,localhost;") == ["127.0.0.1,localhost"]
    assert told(f"{proxy} export NO_PROXY='*';") == ["*"]
