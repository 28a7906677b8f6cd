"""`make unlock`: free a stack from an update that was killed."""

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

import click
import psutil

from infra.operations.stack import Stack, main
from infra.settings import PROJECT
from runtime.errors import UserError

# Where the engine keeps its locks in a folder or bucket of state:
# https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/lock.go
_LOCKS = f".pulumi/locks/organization/{PROJECT}"


@dataclass(frozen=True)
class Lock:
    """Who holds a stack: a process of a machine."""

    pid: int
    host: str

    def is_held(self) -> bool:
        """Whether its process runs. One of another machine counts as if it did."""
        return self.host != socket.gethostname() or psutil.pid_exists(self.pid)


def locks(stack: str, backend: str) -> list[Lock]:
    """The locks of a stack whose state is in a folder of this machine."""
    folder = Path(backend.removeprefix("file://")).expanduser() / _LOCKS / stack
    found = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    return [Lock(int(lock["pid"]), str(lock["hostname"])) for lock in found]


@click.command()
@click.argument("name", metavar="STACK")
@click.option("--yes", is_flag=True, help="Do not ask where the state is elsewhere.")
def command(name: str, yes: bool) -> None:
    """Free STACK from the lock of an update that was killed.

    Refused while the process that holds it runs. Where the state is not on this machine, nobody
    can tell: it asks. Run `make up` afterwards, which makes what was left out.
    """
    backend = os.environ.get("PULUMI_BACKEND_URL", "")
    if backend.startswith("file://"):
        found = locks(name, backend)
        if not found:
            click.echo(f"stack {name} is not locked")
            return
        if held := next((lock for lock in found if lock.is_held()), None):
            raise UserError(
                f"process {held.pid} on {held.host} works on stack {name}: wait for it, or stop it"
            )
    elif not yes:
        click.confirm(f"Is nobody working on stack {name}, on any machine?", abort=True)
    if Stack(name).run("cancel", "--yes"):
        raise UserError(f"stack {name} is still locked; what the engine said stands above")


if __name__ == "__main__":
    main("infra.operations.stack.unlock", command)
