"""`make recover`: restore a backup's database and artifacts into a stack before its server starts.

A stack of processes on this machine is filled from here while it is down. Any other is brought up
empty; the backup is copied to where it keeps its own, with the caller's own logins, so that
no cloud needs another's; and its server, told the backup's name, restores it before it serves.
"""

import os
import shlex
import subprocess
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any, cast

import click

from infra.operations import up
from infra.operations.recover import compared, keys
from infra.operations.recover.compared import COUNTED, differences, left_behind, refuse_data, wait
from infra.operations.stack import MistakeError, Stack, guard, port
from infra.operations.stack import file as stack_file
from infra.operations.stack.served import client_of
from infra.plan.local import LocalPlan
from runtime.backup.format.sealed import OtherKeyError
from runtime.errors import UserError
from runtime.process import trackstack
from runtime.settings import file_variable, variable

if TYPE_CHECKING:
    from runtime.backup.format.manifest import Manifest
    from runtime.backup.format.places import Place

_KEY = "trackstack:restoreBackup"
# The caller's variables, which would win over the stack's.
_NO_OTHER_STORE = dict.fromkeys(
    (
        variable("given_backend_store_uri"),
        file_variable("given_backend_store_uri"),
        variable("db_secret_ocid"),
    ),
    "",
)


def given_store(stack: Stack, plan: LocalPlan) -> str:
    """The URI of a database that the stack file names, else nothing."""
    return stack.secret("backendStoreUri") if plan.has_given_store else ""


def restore_environment(
    stack: str, plan: LocalPlan, outputs: Mapping[str, Any], store: str = ""
) -> dict[str, str]:
    """What `trackstack restore` fills a stack's store with from here; UserError where it cannot.

    The same as the stack's own processes have, so that both find one store; ``store`` is that of
    ``given_store``, whose secret file a stack that was never up does not have.
    """
    if "tracking_uri" in outputs:
        raise UserError(f"{stack} is up; its server must not run: make down STACK={stack}")
    given = {**plan.store_environment, **_NO_OTHER_STORE}
    given[variable("given_backend_store_uri")] = store
    key = given.get(file_variable("backup_key"))
    if key and not Path(key).is_file():
        # That of one that was never up is still to be made.
        given |= {file_variable("backup_key"): "", variable("backup_encryption"): ""}
    return given


def prepare(
    stack: str, plan: LocalPlan, outputs: Mapping[str, Any], options: "Options", store: str = ""
) -> tuple["Manifest", dict[str, str]]:
    """The backup, and what `trackstack restore` fills the stack's store with.

    Raises UserError where it cannot. Nobody is asked to take a stack down for a backup that is
    broken; of one that is down, the restore itself looks at all of it first.
    """
    of = options.manifest()
    if "tracking_uri" in outputs:
        options.check(of)
    if options.force and store:
        raise UserError("--force: a database that a stack is given is emptied by whoever made it")
    return of, restore_environment(stack, plan, outputs, store)


def _fill_from_here(stack: Stack, plan: LocalPlan, options: "Options") -> int:
    store = given_store(stack, plan)
    of, environment = prepare(stack.name, plan, stack.outputs(), options, store)
    flags = [
        flag for flag, on in (("--force", options.force), ("--dry-run", options.dry_run)) if on
    ]
    if not options.dry_run:
        # For the owner alone; the restore makes what lies in it.
        Path(plan.data_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    done = subprocess.run(
        [trackstack(), "restore", "--from", options.from_uri, *flags, of.name],
        env={**os.environ, **environment, **keys.environment(options.keys)},
    )
    if done.returncode or options.dry_run:
        return done.returncode
    _up(stack, f"recover from {of.name}", f"then run: make up STACK={stack.name}")
    return _confirm(stack, of, options.patience)


def _copy(outputs: Mapping[str, Any], options: "Options", name: str) -> None:
    """Copy a backup to where the stack keeps its own: by its `command`, or else by its URI."""
    command, to = outputs.get("command"), str(outputs["backup_destination"])
    from_uri, environment = options.from_uri, {**os.environ, **keys.environment(options.keys)}
    if not command:
        arguments = [trackstack(), "backup", "--to", to, "copy", "--from", from_uri, name]
        _run(subprocess.Popen(arguments, env=environment), to)
        return
    with TemporaryDirectory(prefix="trackstack-recover-") as folder:
        local = [trackstack(), "backup", "--to", folder, "copy", "--from", from_uri, name]
        _run(subprocess.Popen(local, stdout=subprocess.DEVNULL, env=environment), folder)
        taking = [*shlex.split(str(command)), "backup", "copy", "--from", "-", name]
        process = subprocess.Popen(taking, stdin=subprocess.PIPE)
        pipe = cast("IO[bytes]", process.stdin)
        # Where it ends early, it has said why.
        with suppress(BrokenPipeError), pipe, tarfile.open(fileobj=pipe, mode="w|") as archive:
            archive.add(Path(folder) / name, name)
        _run(process, to)


def _run(process: "subprocess.Popen[bytes]", to: str) -> None:
    if process.wait():
        raise UserError(f"the backup could not be copied to {to}; its reason stands above")


def _up(stack: Stack, message: str, then: str = "and run this again") -> None:
    if guard.up(stack, "--yes", "--skip-preview", "--suppress-outputs", "--message", message):
        raise UserError(f"pulumi up of {stack.name} failed; put it right {then}")


def _confirm(stack: Stack, of: "Manifest", patience: float) -> int:
    """Ask the server what it has; raises UserError where it is not what the backup has."""
    with client_of(stack.outputs(secrets=True)) as client:
        found, problems = wait(client, of, patience)
    if problems:
        raise UserError(
            f"{stack.name} does not hold what {of.name} does: {'; '.join(problems)}; its log says "
            f"why: make logs STACK={stack.name}"
        )
    held = ", ".join(f"{of.tables[kind].rows} {kind}" for kind in COUNTED if kind in of.tables)
    told = f"; all rows and {found['files']} artifacts were compared by checksum"
    if others := found["others"]:
        told += f"; {others} artifacts that stood there are others, and were left as they are"
    click.echo(f"recover: {stack.name} holds what {of.name} does: {held}{told}")
    _forget(stack)
    return 0


def _forget(stack: Stack) -> None:
    """Take the backup's name out of the stack file: an emptied store is not to be filled with what
    is old by then. The `up` that follows takes it from the server.
    """
    if _KEY in stack_file.read(stack_file.path(stack.name)):
        stack.run("config", "rm", _KEY)


def _fill_by_server(stack: Stack, options: "Options") -> int:
    if options.force:
        raise UserError("--force: only the store of a local stack of processes is replaced")
    of = options.manifest()
    outputs = stack.outputs(secrets=True)
    click.echo(f"recover: {of.name} of {of.created}: {of.rows} rows, {of.total_bytes} bytes")
    if options.dry_run:
        options.check(of)
        return 0
    if "tracking_uri" in outputs:
        with client_of(outputs) as client:
            counted = compared.counted(client)
            is_restored = not left_behind(compared.restored(client), of)
        is_same = counted and not differences(counted, of)
        if is_restored or is_same:
            since = "" if is_same else ", and what its clients have changed since"
            click.echo(f"recover: {stack.name} holds what {of.name} does already{since}")
            _forget(stack)
            return 0
        refuse_data(counted or {}, stack.name)
    # One of an earlier version does not say where it keeps its backups.
    key = options.key(of)
    is_new = bool(key) and keys.give(stack, key, outputs)
    if is_new or "backup_destination" not in outputs:
        _up(stack, f"make room for {of.name}")
        outputs = stack.outputs(secrets=True)
    click.echo(f"recover: copying it to {outputs['backup_destination']}")
    _copy(outputs, options, of.name)
    stack.run("config", "set", _KEY, of.name)
    _up(stack, f"recover from {of.name}")
    click.echo("recover: waiting for the server to have restored it")
    return _confirm(stack, of, options.patience)


@dataclass(frozen=True)
class Options:
    """What the person asked for."""

    from_uri: str
    backup: str | None
    force: bool
    patience: float
    dry_run: bool
    keys: tuple[str, ...] = ()
    """What opens it, where it is encrypted."""

    def manifest(self) -> "Manifest":
        """That of the backup; raises UserError where there is none, or it must be named."""
        from runtime.backup.format import manifest

        return manifest.read_for(self._place(), self.backup, None)

    def _place(self) -> "Place":
        from runtime.backup.format.places import Place

        # Sealed where there is a key: a plain backup among such is taken by its name alone.
        return Place(self.from_uri, keys=self.keys, seals=bool(self.keys))

    def key(self, of: "Manifest") -> str | None:
        """What opens the backup; None where it is not encrypted."""
        from runtime.backup.format import manifest

        return manifest.key_of(self._place(), of)

    def check(self, of: "Manifest") -> None:
        """Raise UserError where a part of the backup is missing or broken."""
        from runtime.backup.format import manifest, parts

        parts.check(manifest.held(self._place(), of), of)


@click.command()
@click.argument("name", metavar="STACK")
@click.option("--from", "from_uri", required=True, help="Where backups are: a directory or URI.")
@click.option("--backup", help="Its name; the newest that has artifacts without it.")
@click.option("--force", is_flag=True, help="Replace what a local stack's data directory holds.")
@click.option("--patience", default=1800.0, help="Seconds in which a server must have it (1800).")
@click.option("--dry-run", is_flag=True, help="Check that it could begin; change nothing.")
def command(
    name: str, from_uri: str, backup: str | None, force: bool, patience: float, dry_run: bool
) -> int:
    """Fill STACK from a backup, of whichever cloud and database.

    A local stack of processes must be down, and is filled from here; any other is brought up empty,
    and restores before it serves. In the end the server is up and was asked whether it holds what
    the backup does. Exits with what `trackstack restore` exits with. Run again after a failure or
    a kill, it goes on.

    \b
    Examples:
      make recover STACK=local FROM=/backups
      python -m infra.operations.recover oci-prod --from wasbs://backups@account.blob.core.windows.net/prod
    """
    if not from_uri:
        raise MistakeError("--from (FROM= with make) says where the backups are")
    stack_file.require(name)
    # Only now: the engine makes a stack file of whatever name it is given.
    up.select(name)
    stack = Stack(name)
    known = keys.of_caller(stack.outputs(secrets=True))
    options = Options(from_uri, backup, force, patience, dry_run, known)
    try:
        options.manifest()
    except OtherKeyError as error:
        options = replace(options, keys=(*known, keys.asked(error)))
    return fill(stack, options)


def fill(stack: Stack, options: "Options") -> int:
    """Fill a stack from a backup and bring it up; returns the exit code."""
    if not options.dry_run:
        # As `make up` does: the server that is left may still run, on the port of both.
        port.choose(stack, None, is_up=bool(stack.resources()))
    plan = stack.plan()
    if isinstance(plan, LocalPlan):
        return _fill_from_here(stack, plan, options)
    return _fill_by_server(stack, options)
