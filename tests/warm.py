"""`trackstack` without its interpreter's start: to import MLflow takes 2 s of a processor.

A process that has imported it forks, and the fork runs the command: a child of the caller's with
the given arguments, environment, folder, streams, signals and exit code. Whatever reads the
environment while it is imported is imported by each fork itself, so `mlflow.server`, and so is the
runtime but for the plug-in that MLflow loads. What cannot be had so is started as it is installed.
Starts of the installed command itself are shown by test_cli, by stacks and by images.
"""

import functools
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from infra.place import ROOT

TRACKSTACK = str(Path(sys.executable).with_name("trackstack"))
_LIBRARIES = (
    "mlflow",
    "alembic.migration",
    "mlflow.store.tracking.dbmodels.models",
    "flask",
    "graphene",
    "uvicorn",
    "aiohttp",
    "psutil",
)
# Of the environment of an interpreter and of its libraries at their start.
_AT_START = ("LD_", "PYTHON", "LC_", "LANG", "TZ", "MALLOC_", "OMP_", "OPENBLAS_")
_PR_SET_CHILD_SUBREAPER = 36
_LONGEST = 2**20


class Popen(subprocess.Popen[Any]):
    """As the standard library's, on TRACKSTACK."""

    def _execute_child(self, *given: Any) -> None:
        args, _executable, preexec, _close, passed, cwd, environment = given[:7]
        pipes, (gid, gids, uid, umask, new_session, *group) = given[10:16], given[17:]
        environment = os.environ if environment is None else environment
        others = preexec or passed or new_session or gid or gids or uid
        is_usual = umask == -1 and group in ([], [-1]) and not others
        if args[0] != TRACKSTACK or not is_usual or not is_warm(environment):
            cast(Any, super())._execute_child(*given)
            return
        given_streams = zip((pipes[0], pipes[3], pipes[5]), range(3), strict=True)
        streams = [own if stream == -1 else stream for stream, own in given_streams]
        self.pid = _starter_of(os.getpid()).start(args, cwd, environment, streams)
        own = cast(Any, self)
        own._child_created = True
        own._close_pipe_fds(*pipes)


def is_warm(environment: Mapping[str, str]) -> bool:
    """Whether a start with this environment can be a fork."""
    return sys.platform == "linux" and not _starter_of(os.getpid()).has_seen_other(environment)


def run(
    args: Sequence[str],
    *,
    input: str | bytes | None = None,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **options: Any,
) -> "subprocess.CompletedProcess[Any]":
    """As the standard library's, on TRACKSTACK."""
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input is not None:
        options["stdin"] = subprocess.PIPE
    with Popen(args, **options) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(args, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


class _Starter:
    """The process that forks, as its caller sees it."""

    def __init__(self) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MLFLOW_", "TRACKSTACK_"))
        }
        with its:
            subprocess.Popen(
                [sys.executable, "-m", __name__, str(its.fileno())],
                cwd=ROOT,
                env=environment | {"MLFLOW_DISABLE_TELEMETRY": "true"},
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._socket, self._turn = ours, threading.Lock()
        self._read = frozenset(json.loads(ours.recv(_LONGEST)))
        self._begun_with = _at_start(environment)

    def has_seen_other(self, environment: Mapping[str, str]) -> bool:
        """Whether what is imported already has seen another environment than this one."""
        # What is not there at all is as by default: UTF-8, for one.
        others = _at_start(environment).items() - self._begun_with.items()
        return bool(others or self._read & set(environment))

    def start(
        self, args: Sequence[str], cwd: Any, environment: Mapping[str, str], streams: Sequence[int]
    ) -> int:
        """The process ID of a child of the caller's."""
        task = {
            "args": list(map(os.fspath, args)),
            "cwd": os.fspath(cwd or Path.cwd()),
            "environment": {name: os.fspath(value) for name, value in environment.items()},
            "parent": os.getpid(),
        }
        with self._turn:
            _adopt(True)
            try:
                socket.send_fds(self._socket, [json.dumps(task).encode()], streams)
                pid = int(self._socket.recv(_LONGEST))
                # The process between is gone, so that the kernel has made it the caller's child.
                assert self._socket.recv(_LONGEST) == b"done"
            finally:
                _adopt(False)
        return pid


@functools.cache
def _starter_of(_pid: int) -> _Starter:
    # A fork of the caller's is not its child's parent.
    return _Starter()


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_AT_START)}


def _adopt(whether: bool) -> None:
    """Have grandchildren whose parent ends become this process's children, see prctl(2)."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(whether))


class _Noted(dict[bytes, bytes]):
    """An environment that knows what was asked of it."""

    def __init__(self, given: Mapping[bytes, bytes]) -> None:
        super().__init__(given)
        self.asked = set[bytes]()

    def __getitem__(self, name: bytes) -> bytes:
        self.asked.add(name)
        return super().__getitem__(name)


def _load() -> list[str]:
    """Import; returns the names of this project's and MLflow's that the imports asked for.

    But for those of MLflow's telemetry, which is off.
    """
    variables = cast(Any, os.environ)
    plain = variables._data
    noted = variables._data = _Noted(plain)
    for name in _LIBRARIES:
        importlib.import_module(name)
    variables._data = plain
    names = {name.decode() for name in noted.asked}
    ours = (name for name in names if "MLFLOW_" in name or "TRACKSTACK_" in name)
    return sorted(name for name in ours if "TELEMETRY" not in name)


def _wait_for_task(caller: socket.socket) -> None:
    """Answer until the caller is gone; returns in each child alone."""
    import gc

    gc.collect()
    gc.freeze()
    while True:
        message, streams, _, _ = socket.recv_fds(caller, _LONGEST, 3)
        if not message:
            os._exit(0)
        between = os.fork()
        if not between:
            child = os.fork()
            if not child:
                _become(json.loads(message), streams)
                caller.close()
                return
            caller.send(str(child).encode())
            os._exit(0)
        for stream in streams:
            os.close(stream)
        os.waitpid(between, 0)
        caller.send(b"done")


def _become(task: Mapping[str, Any], streams: Sequence[int]) -> None:
    while os.getppid() != task["parent"]:
        time.sleep(0.001)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(task["environment"])
    os.chdir(task["cwd"])
    sys.argv = task["args"]
    # As a script is: click takes the program's name from there.
    program: Any = sys.modules["__main__"]
    program.__package__ = program.__spec__ = None
    program.__file__ = TRACKSTACK
    sys.path[0] = str(Path(TRACKSTACK).parent)


def main() -> None:
    """Serve the caller; in each child, be `trackstack`."""
    # A terminal's Ctrl-C is its caller's.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    caller = socket.socket(fileno=int(sys.argv[1]))
    caller.send(json.dumps(_load()).encode())
    _wait_for_task(caller)
    signal.signal(signal.SIGINT, before)
    sys.exit(importlib.import_module("runtime.cli").main())


if __name__ == "__main__":
    main()
