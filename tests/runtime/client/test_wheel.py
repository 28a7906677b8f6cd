"""The wheel in an empty environment: what somebody has who only signs in and logs runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[3]
_UV = str(Path(sys.executable).with_name("uv"))


def test_a_laptop_s_part_is_the_command_and_click(tmp_path: Path) -> None:
    home = tmp_path / "venv"
    subprocess.run([_UV, "venv", "--quiet", "--python", sys.executable, str(home)], check=True)
    python = str(home / "bin" / "python")
    subprocess.run([_UV, "pip", "install", "--quiet", "--python", python, str(_ROOT)], check=True)
    listed = subprocess.run(
        [_UV, "pip", "list", "--python", python, "--format", "json"],
        check=True,
        capture_output=True,
    )
    assert {package["name"] for package in json.loads(listed.stdout)} == {"click", "trackstack"}

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [str(home / "bin" / "trackstack"), *words],
            env={"PATH": os.environ["PATH"], "XDG_CONFIG_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    assert "  login" in run("--help").stdout
    assert "trackstack login https://mlflow.example.com" in run("login", "--help").stdout
    assert "signed in nowhere" in run("whoami").stderr
    server = run("server")
    assert "pip install 'trackstack[server]'" in server.stderr
    assert server.stderr.count("\n") == 1
