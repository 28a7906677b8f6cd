"""A warm start is a start: nothing that a command can see of it is another."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.system.waiting import wait_for
from tests import warm
from tests.warm import TRACKSTACK

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "arguments",
    [
        ("gc", "--dry-run"),
        ("nonsense",),
        ("backup", "--to", "here", "copy", "--from", "-"),
    ],
    ids=" ".join,
)
def test_a_command_says_and_does_the_same(arguments: tuple[str, ...], tmp_path: Path) -> None:
    said: list[Any] = []
    environment = {"TRACKSTACK_DATA_DIR": "data", "PATH": os.environ["PATH"]}
    assert warm.is_warm(environment)
    for run in (subprocess.run, warm.run):
        folder = tmp_path / str(len(said))
        folder.mkdir()
        done = run(
            [TRACKSTACK, *arguments],
            cwd=folder,
            env=environment,
            input="not a backup",
            capture_output=True,
            text=True,
            timeout=60,
        )
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
        said.append((done.returncode, done.stdout, done.stderr.replace(str(folder), ""), files))
    assert said[0] == said[1]


def test_its_parent_is_who_started_it_and_a_signal_ends_it(tmp_path: Path) -> None:
    command = [TRACKSTACK, "backup", "--to", str(tmp_path), "copy", "--from", "-"]
    with warm.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        assert int(fields[1]) == os.getpid()
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM


def test_what_is_read_at_a_start_makes_it_one_of_its_own(tmp_path: Path) -> None:
    def command_line(**environment: str) -> str:
        command = [TRACKSTACK, "backup", "--to", str(tmp_path), "copy", "--from", "-"]
        env = {**os.environ, **environment}
        with warm.Popen(command, env=env, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as it:
            file = Path(f"/proc/{it.pid}/cmdline")
            # The kernel tells a new program's words a moment after the program is there.
            wait_for(file.read_text, "the command line", 10)
            line = file.read_text()
            it.kill()
        return line

    assert "tests.warm" in command_line(TRACKSTACK_DATA_DIR=str(tmp_path))
    for name in (
        "PYTHONWARNINGS",
        "LD_PRELOAD",
        "MLFLOW_LOGGING_LEVEL",
        "TRACKSTACK_IN_MLFLOW_JOB",
    ):
        assert "tests.warm" not in command_line(**{name: ""})
