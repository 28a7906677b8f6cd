"""`make recover`: a backup's database and artifacts back in a stack, before its server starts."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from infra.stack import Stack, main
from runtime.errors import UserError


def decide(stack: str, config: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, str]:
    """The environment in which `trackstack restore` fills the stack's store; UserError where it
    cannot be filled from here.
    """

    def value(key: str) -> str | None:
        entry: Mapping[str, Any] = config.get(f"trackstack:{key}") or {}
        return entry.get("value")

    if "tracking_uri" in outputs:
        raise UserError(f"{stack} is up; its server must not run: make down STACK={stack}")
    if value("cloud") not in (None, "local") or value("compute") == "container":
        raise UserError(
            f"only a stack of processes on this machine is filled before it is up; for {stack}, "
            "run `trackstack restore` with its MLFLOW_BACKEND_STORE_URI and "
            "MLFLOW_ARTIFACTS_DESTINATION"
        )
    if "trackstack:backendStoreUri" in config:
        raise UserError(
            f"{stack} has a database of its own: run `trackstack restore` with "
            "MLFLOW_BACKEND_STORE_URI_FILE"
        )
    folder = Path(value("dataDir") or f".trackstack/data/{stack}").absolute()
    found = {"TRACKSTACK_DATA_DIR": str(folder)}
    if artifacts := value("artifactsDestination"):
        found["MLFLOW_ARTIFACTS_DESTINATION"] = artifacts
    return found


@click.command()
@click.argument("name", metavar="STACK")
@click.option("--from", "from_uri", required=True, help="Where backups are: a directory or URI.")
@click.option("--backup", help="Its name; the newest without it.")
@click.option("--force", is_flag=True, help="Replace what the stack's data directory holds.")
@click.option("--dry-run", is_flag=True, help="Check that it could begin; change nothing.")
def command(name: str, from_uri: str, backup: str | None, force: bool, dry_run: bool) -> int:
    """Fill STACK from a backup, of whichever cloud and database; then bring it up.

    Exits with what `trackstack restore` exits with. Run again after a kill, it goes on.

    \b
    Examples:
      make recover STACK=local FROM=/backups
      python -m infra.recover local --from wasbs://backups@account.blob.core.windows.net/prod
    """
    stack = Stack(name)
    environment = decide(name, stack.ask("config", "--json"), stack.outputs())
    Path(environment["TRACKSTACK_DATA_DIR"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = [flag for flag, on in (("--force", force), ("--dry-run", dry_run)) if on]
    chosen = [backup] if backup else []
    trackstack = str(Path(sys.executable).with_name("trackstack"))
    done = subprocess.run(
        [trackstack, "restore", "--from", from_uri, *flags, *chosen],
        env={**os.environ, **environment},
    )
    return done.returncode


if __name__ == "__main__":
    main("infra.recover", command)
