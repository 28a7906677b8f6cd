"""A Tab in a shell that entered the environment completes commands, targets and stacks."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.place import ROOT
from infra.rehearsal.system.packages import ensure_debian

_SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
_READY = "it-is-ready"


class Typed:
    """A shell at a terminal."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal

    def type(self, text: str, awaited: str) -> str:
        """Type, and return what the terminal shows once it shows what is awaited."""
        os.write(self._terminal, text.encode())
        shown, deadline = "", time.monotonic() + 30
        while awaited not in shown:
            left = deadline - time.monotonic()
            assert left > 0, f"{awaited!r} is not in {shown!r}"
            if select.select([self._terminal], [], [], left)[0]:
                shown += os.read(self._terminal, 65536).decode(errors="replace")
        return shown


@contextmanager
def _shell(name: str, folder: Path) -> Generator[Typed]:
    if name == "zsh":
        ensure_debian("zsh", "zsh")
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb", "PS1": "$ "}
    process = subprocess.Popen(
        _SHELLS[name], cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        shell = Typed(ours)
        # In two halves: what is typed is shown too.
        shell.type(". ./env && echo it-is-''ready\r", _READY)
        yield shell
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize("name", _SHELLS)
def test_a_tab_completes_commands_targets_and_stacks(name: str, tmp_path: Path) -> None:
    with _shell(name, tmp_path) as shell:
        for typed, completed in (
            ("make unl", "make unlock "),
            ("make up STACK=azure-p", "make up STACK=azure-prod "),
            ("make new STACK=own FROM=oci-d", "make new STACK=own FROM=oci-dev "),
            ("trackstack und", "trackstack undelete "),
            ("trackstack backup veri", "trackstack backup verify "),
            ("trackstack gc --older", "trackstack gc --older-than "),
            # What is none of these is a file, as without it.
            ("make -f Makef", "make -f Makefile "),
        ):
            shell.type(f"{typed}\t", completed)
            shell.type("\x15", "")


def test_a_shell_that_enters_starts_nothing_for_it() -> None:
    """Without a PATH no program could be started."""
    done = subprocess.run(
        ["bash", "-c", "PATH=; . ./tools/completion.sh && complete -p make trackstack"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
