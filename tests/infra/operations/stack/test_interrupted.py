"""Ctrl-C ends a command without a word of its own, whatever it is doing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from infra.place import ROOT
from infra.rehearsal.system.waiting import wait_for


def test_a_command_that_still_starts_is_ended_by_ctrl_c_without_a_stack_trace() -> None:
    command = [sys.executable, "-m", "infra.operations.up", "there-is-none"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as started:
        # One of the first libraries is there, and seconds of others are to come.
        loaded = Path(f"/proc/{started.pid}/maps")
        wait_for(lambda: "pydantic_core" in loaded.read_text(), "its imports", 30)
        os.kill(started.pid, signal.SIGINT)
        said, _ = started.communicate(timeout=30)
    assert (started.returncode, said) == (-signal.SIGINT, "")
