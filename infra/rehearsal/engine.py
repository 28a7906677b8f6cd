"""The Pulumi engine on a project and a state apart from the user's.

engine = Engine(project_dir, state_dir)
engine.run("up")
print(engine.outputs()["tracking_uri"])
engine.destroy()
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from infra.place import ROOT
from infra.rehearsal.errors import EngineError

# Commands that change something: they need --yes, and a preview before each would double its time.
_CHANGING = frozenset({"up", "destroy", "refresh"})
_BY_SIGNAL = (-signal.SIGINT, -signal.SIGTERM)
_OF_A_STACK = frozenset({*_CHANGING, "preview", "import", "stack", "config", "state", "cancel"})


@dataclass(frozen=True)
class Result:
    """Exit code and output of a command of the engine."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def find_engine() -> str:
    """Path of `pulumi`, on PATH or where `make setup` puts it; EngineError if neither has it."""
    found = shutil.which("pulumi") or shutil.which(
        "pulumi", path=str(ROOT / ".trackstack" / "engine" / "bin")
    )
    if not found:
        raise EngineError("there is no pulumi on PATH nor in .trackstack/engine; run `make setup`")
    return found


@dataclass(frozen=True)
class Engine:
    """A stack of the project in ``project_dir``, with its state and login under ``state_dir``.

    ``providers`` is a value of PULUMI_DEBUG_PROVIDERS (``name:port,...``): servers to attach to
    instead of starting a plugin; ``plugin`` is one that is started. ``environment`` is added to the
    process's own.
    """

    project_dir: Path
    state_dir: Path
    stack: str = "test"
    providers: str = ""
    plugin: Path | None = None
    passphrase: str = "a passphrase of rehearsals"
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout: float = 540

    def run(self, *arguments: str, check: bool = True) -> Result:
        """Run one command on the stack (made where it is missing) and wait for its end.

        Raises EngineError where it fails, unless ``check`` is false, or takes more than ``timeout``
        seconds.
        """
        self._make_stack()
        return self._call(*arguments, check=check)

    def destroy(self, check: bool = True, excluding: Iterable[str] = ()) -> Result:
        """Take the stack down, and what is protected in it, but for ``excluding``, by URN.

        Raises as ``run`` does.
        """
        self.run("state", "unprotect", "--all", "--yes", check=check)
        excluded = [word for urn in sorted(excluding) for word in ("--exclude", urn)]
        return self.run("destroy", *excluded, check=check)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start one command on the stack in a process group of its own, to be interrupted."""
        self._make_stack()
        return subprocess.Popen(
            self._command(arguments),
            cwd=self.project_dir,
            env=self.environment_of_commands(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def export(self) -> dict[str, Any]:
        """The stack's state as the backend keeps it, secrets encrypted."""
        return cast("dict[str, Any]", json.loads(self.run("stack", "export").stdout))

    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources in the state by name, but for the stack and the providers."""
        deployment = self.export()["deployment"]
        found = cast("list[dict[str, Any]]", deployment.get("resources") or [])
        return {
            resource["urn"].rsplit("::", 1)[1]: resource
            for resource in found
            if not resource["type"].startswith("pulumi:")
        }

    def outputs(self) -> dict[str, Any]:
        """What the stack exports, secrets in plain text."""
        shown = self.run("stack", "output", "--json", "--show-secrets").stdout
        return cast("dict[str, Any]", json.loads(shown))

    def _make_stack(self) -> None:
        made = self.state_dir / f"{self.stack}.made"
        if not made.exists():
            (self.state_dir / "backend").mkdir(parents=True, exist_ok=True)
            self._call("stack", "select", "--create", check=True)
            made.touch()

    def _call(self, *arguments: str, check: bool) -> Result:
        words = f"pulumi {' '.join(arguments)}"
        try:
            done = self._done(arguments)
            if done.returncode in _BY_SIGNAL:
                # One for its caller's group, which it was in for its first moment.
                done = self._done(arguments)
        except subprocess.TimeoutExpired:
            raise EngineError(f"{words}: not done after {self.timeout:g} s") from None
        result = Result(done.returncode, done.stdout, done.stderr)
        if check and result.code:
            raise EngineError(f"{words}: exit {result.code}", result.output)
        return result

    def _done(self, arguments: tuple[str, ...]) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self._command(arguments),
            cwd=self.project_dir,
            env=self.environment_of_commands(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=self.timeout,
            # A terminal's Ctrl-C is its caller's, who may let it go on.
            start_new_session=True,
        )

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        command = [find_engine(), *arguments, "--non-interactive", "--color", "never"]
        if arguments[0] in _OF_A_STACK:
            command += ["--stack", self.stack]
        if arguments[0] == "import":
            command += ["--yes"]
        if arguments[0] in _CHANGING:
            command += ["--yes", "--skip-preview"]
        return command

    def environment_of_commands(self) -> dict[str, str]:
        """The environment in which the engine runs, for a command that calls it."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")
        }
        # The language host runs the first `python` on PATH and finds its scripts beside itself.
        path = [Path(sys.executable).parent, Path(find_engine()).parent, inherited["PATH"]]
        if self.plugin:
            path.insert(0, self.plugin.parent)
        return {
            **inherited,
            "PATH": os.pathsep.join(map(str, path)),
            "PULUMI_HOME": str(self.state_dir / "home"),
            "PULUMI_BACKEND_URL": (self.state_dir / "backend").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": self.passphrase,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # Plugins of rehearsed clouds are attached; the engine would look for them elsewhere.
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            **({"PULUMI_DEBUG_PROVIDERS": self.providers} if self.providers else {}),
            **self.environment,
        }
