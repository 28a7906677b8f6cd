"""A stack that exists, by the engine's own commands: what drift, down and promote share."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any, cast

import click

from infra import settings
from infra.clouds import data
from infra.errors import StackError
from infra.operations.stack.reasons import reason
from infra.place import read_place
from infra.plan import Plan, make_plan
from infra.settings import PROJECT, Settings
from runtime.errors import UserError, for_user


class MistakeError(UserError):
    """What was typed, or written in a stack file, is wrong; nothing was begun."""


# The inputs that say where a resource is, or what it is called there.
_NAMES = (
    *("data_dir", "name", "displayName", "bucket", "vaultName", "workspaceName"),
    *("containerName", "databaseName", "serverName", "accountName", "resourceGroupName"),
)


@dataclass(frozen=True)
class Resource:
    """One resource of a state; ``needs`` are the URNs that it stands on."""

    name: str
    type: str
    inputs: Mapping[str, Any]
    protected: bool
    retained: bool
    urn: str = ""
    needs: frozenset[str] = frozenset()
    id: str = ""

    @property
    def holds_data(self) -> bool:
        return data.holds_data(self.type, self.name)

    @property
    def kept(self) -> bool:
        """Whether it outlives `pulumi destroy`."""
        return self.retained or self.inputs.get("keep_data") is True

    @property
    def place(self) -> str:
        """Where it is, or what it is called there."""
        return next((str(self.inputs[key]) for key in _NAMES if self.inputs.get(key)), self.type)


@dataclass(frozen=True)
class Preview:
    """A plan of the engine's: its exit code, its event log, and what it said to no terminal."""

    code: int
    events: tuple[str, ...]
    said: str


@dataclass(frozen=True)
class Stack:
    """A stack of the project in the working directory, in the environment of `. ./env`."""

    name: str

    def ask(self, *arguments: str) -> Any:
        """The JSON that a command prints; UserError with the engine's words where it fails."""
        done = subprocess.run(
            ["pulumi", *arguments, "--stack", self.name, "--non-interactive", "--color", "never"],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **_login(self.name, *arguments)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise UserError(f"pulumi {' '.join(arguments)}: {reason(done)}")
        return json.loads(done.stdout)

    def state(self) -> dict[str, Any]:
        """Its state as the engine exports it."""
        return cast("dict[str, Any]", self.ask("stack", "export"))

    def put_state(self, exported: Mapping[str, Any]) -> None:
        """Put another state in its place; raises UserError where the engine refuses it."""
        done = subprocess.run(
            ["pulumi", "stack", "import", "--stack", self.name, "--non-interactive"],
            input=json.dumps(exported),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise UserError(f"pulumi stack import: {reason(done)}")

    def run(
        self,
        *arguments: str,
        quiet: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """Run a command on the terminal, to its end; returns its exit code.

        An interrupt is the engine's to handle: it finishes what it is doing and frees its lock.
        ``quiet`` sends what it prints to stderr, where stdout is a machine's; ``environment`` is
        added to this process's own.
        """
        return self._run(arguments, sys.stderr if quiet else None, environment)[0]

    def update(
        self, *options: str, quiet: bool = False, environment: Mapping[str, str] | None = None
    ) -> tuple[int, tuple[str, ...]]:
        """`pulumi up` as by ``run``; its exit code, and the lines of its event log."""
        debugging = {**(environment or {}), "PULUMI_DEBUG_COMMANDS": "true"}
        with TemporaryDirectory() as folder:
            log = Path(folder) / "events.jsonl"
            arguments = ["up", *options, "--event-log", str(log)]
            code, _ = self._run(arguments, sys.stderr if quiet else None, debugging)
            return code, tuple(log.read_text().splitlines()) if log.exists() else ()

    def preview(
        self,
        *options: str,
        quiet: bool = False,
        silent: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Preview:
        """What the engine would do, by the very program that `up` runs; nothing is changed.

        ``quiet`` and ``environment`` as of ``run``; ``silent`` prints nothing.
        """
        # Behind this stands the option --event-log.
        debugging = {**(environment or {}), "PULUMI_DEBUG_COMMANDS": "true"}
        with TemporaryDirectory() as folder, TemporaryFile("w+") as said:
            log = Path(folder) / "events.jsonl"
            arguments = ["preview", *options, "--event-log", str(log)]
            if silent:
                arguments += ["--non-interactive", "--color", "never", "--suppress-outputs"]
            to = said if silent else sys.stderr if quiet else None
            code, is_interrupted = self._run(arguments, to, debugging)
            if is_interrupted:
                raise KeyboardInterrupt
            said.seek(0)
            events = log.read_text().splitlines() if log.exists() else []
            return Preview(code, tuple(events), said.read())

    def _run(
        self, arguments: Sequence[str], to: IO[str] | None, environment: Mapping[str, str] | None
    ) -> tuple[int, bool]:
        """The exit code, and whether somebody interrupted it."""
        process = subprocess.Popen(
            ["pulumi", *arguments, "--stack", self.name],
            stdout=to,
            stderr=to,
            env={**os.environ, **_login(self.name, *arguments), **(environment or {})},
        )
        is_interrupted = False
        while True:
            try:
                return process.wait(), is_interrupted
            except KeyboardInterrupt:
                is_interrupted = True

    def outputs(self, *, secrets: bool = False) -> dict[str, Any]:
        """What the stack exports; empty where it is not up.

        What the last `down` kept stays in the state, and the outputs of that time with it.
        """
        resources = self.resources()
        if {resource.urn for resource in resources} <= standing(resources):
            return {}
        shown = ["--show-secrets"] if secrets else []
        return cast("dict[str, Any]", self.ask("stack", "output", "--json", *shown))

    def settings(self) -> Settings:
        """What its stack file says; raises MistakeError with a line for each key that is wrong."""
        return self._read()[0]

    def plan(self) -> Plan:
        """What its stack file asks for, decided as the program decides it.

        Raises MistakeError with a line for each key that is wrong.
        """
        stack_settings, secret = self._read()
        with _told():
            return make_plan(stack_settings, read_place(stack_settings, self.name, secret))

    def _read(self) -> tuple[Settings, frozenset[str]]:
        # Without the values of secrets, which the engine would have to decrypt.
        config = cast("dict[str, dict[str, Any]]", self.ask("config", "--json"))
        prefix = f"{PROJECT}:"
        own = {k.removeprefix(prefix): v for k, v in config.items() if k.startswith(prefix)}
        secret = frozenset(key for key, entry in own.items() if entry.get("secret"))
        plain = {key: str(entry["value"]) for key, entry in own.items() if key not in secret}
        with _told():
            return settings.read(plain, secret), secret

    def secret(self, key: str) -> str:
        """The value of a secret key of its stack file, for no eyes."""
        return str(self.ask("config", "get", f"{PROJECT}:{key}", "--json")["value"])

    def resources(self) -> list[Resource]:
        """What is in its state, but for the stack itself and the providers."""
        return self.exported()[0]

    def exported(self) -> tuple[list[Resource], Mapping[str, Any]]:
        """Its resources, and what it exported last, read at once; secrets are encrypted."""
        found: Sequence[dict[str, Any]] = self.state()["deployment"].get("resources") or []
        outputs = [one.get("outputs") for one in found if one["type"] == "pulumi:pulumi:Stack"]
        resources = [resource_of(one) for one in found if not one["type"].startswith("pulumi:")]
        return resources, next(iter(outputs), None) or {}


def resource_of(exported: Mapping[str, Any]) -> Resource:
    return Resource(
        name=str(exported["urn"]).rsplit("::", 1)[1],
        type=str(exported["type"]),
        inputs=exported.get("inputs") or {},
        protected=bool(exported.get("protect")),
        retained=bool(exported.get("retainOnDelete")),
        urn=str(exported["urn"]),
        id=str(exported.get("id") or ""),
        needs=_needs(exported),
    )


def _login(*command: str) -> dict[str, str]:
    # It finds the stack file by way of this module.
    return import_module(f"{__name__}.login").of_command(*command)


@contextmanager
def _told() -> Generator[None]:
    """A mistake in a stack file as the user's."""
    try:
        yield
    except StackError as error:
        raise MistakeError("\n".join(error.problems)) from None


def _needs(resource: Mapping[str, Any]) -> frozenset[str]:
    """What a resource of an exported state stands on: dependencies, parent, provider."""
    provider = str(resource.get("provider") or "").rpartition("::")[0]
    by_property = cast(
        "Mapping[str, Sequence[str] | None]", resource.get("propertyDependencies") or {}
    )
    found = [
        *(resource.get("dependencies") or ()),
        *(urn for urns in by_property.values() for urn in urns or ()),
        resource.get("parent"),
        provider,
    ]
    return frozenset(str(urn) for urn in found if urn)


def standing(resources: Sequence[Resource]) -> frozenset[str]:
    """The URNs of what outlives the stack by itself, and of all that it stands on."""
    known = {resource.urn: resource for resource in resources}
    found: set[str] = set()
    ahead = [one.urn for one in resources if one.retained or (one.holds_data and one.kept)]
    while ahead:
        urn = ahead.pop()
        if urn not in found:
            found.add(urn)
            ahead += known[urn].needs if urn in known else ()
    return frozenset(found)


def main(name: str, command: click.Command, *, mistake: int = 1) -> None:
    """Run a command of infra; what it returns is the exit code, and 1 is every error.

    ``mistake`` is the exit code where what was typed or written is wrong.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(command.main(prog_name=name, standalone_mode=False) or 0)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(mistake if isinstance(error, click.UsageError) else 1)
    except Exception as error:
        told = for_user(error)
        for line in str(told).splitlines():
            click.echo(f"{name.rsplit('.', 1)[-1]}: {line}", err=True)
        sys.exit(mistake if isinstance(told, MistakeError) else 1)
