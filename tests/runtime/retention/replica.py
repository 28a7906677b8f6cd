"""A machine that runs `trackstack` commands without their interpreter's start, which takes seconds.

Each is a fork of a process that has loaded everything, and so is the job that the scheduler starts;
what they do is the shipped command's. `python -m tests.runtime.retention.replica` reads lines of
JSON, {"arguments": [], "environment": {}}, and answers each with {"code": 0, "said": ""}.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from infra.place import ROOT


class Replica:
    """One that runs elsewhere."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def begin(self, *arguments: str, **environment: str) -> None:
        assert self._process.stdin
        given = {"arguments": arguments, "environment": environment}
        print(json.dumps(given), file=self._process.stdin, flush=True)

    def end(self) -> str:
        """What the command that was begun said, to stdout and stderr; it must go well."""
        assert self._process.stdout
        answer = json.loads(self._process.stdout.readline())
        assert answer["code"] == 0, answer["said"]
        return str(answer["said"])


@contextmanager
def replica(environment: Mapping[str, str]) -> Generator[Replica]:
    """A replica with the settings of ``environment``."""
    with subprocess.Popen(
        [sys.executable, "-m", __name__],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Replica(process)
        finally:
            # At the end of what it reads it ends.
            assert process.stdin
            process.stdin.close()
            process.wait(60)


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    from runtime.cli import main

    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, 1)
        os.dup2(write, 2)
        os.environ.update(environment)
        code = 1
        try:
            main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    os.close(write)
    with os.fdopen(read) as told:
        said = told.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def _as_the_job_runs(job: Any) -> tuple[int, object]:
    code, said = _run(job._arguments, {})
    print(said, flush=True)
    lines = [line for line in said.splitlines() if line.startswith("{")]
    return code, json.loads(lines[-1]) if lines else None


def main() -> None:
    """Answer until there is nothing more to read."""
    import importlib

    from runtime.cli import COMMANDS
    from runtime.jobs import scheduler

    for name in ("gc", "prune", "backup", "scheduler"):
        importlib.import_module(f"runtime.{COMMANDS[name].module}")
    for module in ("mlflow.store.tracking.sqlalchemy_store", "mlflow.tracking", "mlflow.artifacts"):
        importlib.import_module(module)
    of_jobs: Any = scheduler.Job
    of_jobs.run = _as_the_job_runs
    for line in sys.stdin:
        code, said = _run(**json.loads(line))
        print(json.dumps({"code": code, "said": said}), flush=True)


if __name__ == "__main__":
    main()
