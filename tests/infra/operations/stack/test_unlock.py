"""`make unlock`, by locks as the engine writes them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from infra.operations.stack.unlock import Lock, locks


def _lock(folder: Path, pid: int, host: str = "") -> None:
    place = folder / ".pulumi/locks/organization/trackstack/mine"
    place.mkdir(parents=True, exist_ok=True)
    written = {
        "pid": pid,
        "username": "ann",
        "hostname": host or socket.gethostname(),
        "timestamp": "2026-11-26T06:16:11.499548576Z",
    }
    (place / f"{pid}.json").write_text(json.dumps(written))


def test_a_lock_is_held_while_its_process_runs_or_may_run(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for pid, host, is_held in ((ended.pid, "", False), (1, "", True), (7, "elsewhere", True)):
        _lock(tmp_path, pid, host)
        (lock,) = (lock for lock in locks("mine", f"file://{tmp_path}") if lock.pid == pid)
        assert lock.is_held() is is_held
    assert locks("other", f"file://{tmp_path}") == []


@pytest.mark.parametrize("is_there", [True, False])
def test_a_stack_that_is_worked_on_stays_locked(tmp_path: Path, is_there: bool) -> None:
    if is_there:
        _lock(tmp_path, os.getpid())
    done = subprocess.run(
        [sys.executable, "-m", "infra.operations.stack.unlock", "mine"],
        env={**os.environ, "PULUMI_BACKEND_URL": f"file://{tmp_path}"},
        capture_output=True,
        text=True,
    )
    if is_there:
        assert done.returncode == 1
        assert f"process {os.getpid()} on {Lock(0, socket.gethostname()).host} works" in done.stderr
    else:
        assert (done.returncode, done.stdout) == (0, "stack mine is not locked\n")
