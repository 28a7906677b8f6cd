"""`make move-in`: another MLflow's server into a stack, by a backup and its recovery."""

import json
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import Any

import click

from infra.operations import up
from infra.operations.recover import Options, fill, restore_environment
from infra.operations.stack import MistakeError, Stack, main
from infra.operations.stack import file as stack_file
from infra.operations.stack.served import client_of
from infra.plan.local import LocalPlan
from runtime.errors import UserError
from runtime.move_in.command import lines
from runtime.process import trackstack
from runtime.retention.inventory import entered, paged
from runtime.settings import RuntimeSettings

# Of models with aliases so many are looked at.
_MOST_MODELS = 100


def _take(options: Sequence[str], to: str) -> dict[str, Any]:
    """Make the backup, as `trackstack move-in` does; raises UserError where it cannot."""
    taking = [trackstack(), "move-in", *options, "--to", to, "--json"]
    done = subprocess.run(taking, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise UserError("nothing was moved; the reason stands above", done.returncode)
    return json.loads(done.stdout.strip().splitlines()[-1])


def unreadable(client: RuntimeSettings) -> tuple[int, list[str]]:
    """How many models have an alias, and those of them whose MLmodel the server does not give."""
    from mlflow.artifacts import download_artifacts

    looked, lost = 0, list[str]()
    with entered(client) as registry, TemporaryDirectory() as folder:
        for model in paged(lambda token: registry.search_registered_models(page_token=token)):
            for alias in sorted(model.aliases)[: _MOST_MODELS - looked]:
                looked += 1
                name = f"models:/{model.name}@{alias}"
                found = None
                with suppress(Exception):
                    found = download_artifacts(artifact_uri=f"{name}/MLmodel", dst_path=folder)
                if not found:
                    lost.append(name)
    return looked, lost


def _tell_of_models(stack: Stack) -> None:
    with client_of(stack.outputs(secrets=True)) as client:
        looked, lost = unreadable(client)
    if looked:
        click.echo(f"move-in: {looked - len(lost)} of {looked} models with an alias can be loaded")
    for name in lost:
        click.echo(f"move-in: {name} cannot: its files lie outside, or had gone before", err=True)


@click.command()
@click.argument("name", metavar="STACK")
@click.option("--from", "from_uri", help="The old store: a database's URI, or a folder (mlruns).")
@click.option("--artifacts", "places", multiple=True, help="Where its artifacts are.")
@click.option("--was", "were", multiple=True, help="What locations begin with, if not that.")
@click.option("--linked", multiple=True, help="A folder that links among them may lead to.")
@click.option("--patience", default=1800.0, help="Seconds in which a server must have it (1800).")
def command(
    name: str,
    from_uri: str | None,
    places: tuple[str, ...],
    were: tuple[str, ...],
    linked: tuple[str, ...],
    patience: float,
) -> int:
    """Bring what another MLflow holds into STACK, which must be empty.

    The old server's database and artifacts are only read, and it may run meanwhile: what comes
    after the copy does not come along. Locations below its artifacts' place become the stack's
    own; what lies elsewhere is listed. In the end the stack is up, and was asked whether it holds
    all rows and artifacts, and gives the models that have an alias.

    \b
    Examples:
      make move-in STACK=team FROM=sqlite:////srv/mlflow.db ARTIFACTS=/srv/mlartifacts
      make move-in STACK=team FROM=/home/joe/mlruns
    """
    stack_file.require(name)
    up.select(name)
    stack = Stack(name)
    plan = stack.plan()
    if isinstance(plan, LocalPlan):
        # Before anything is copied.
        restore_environment(name, plan, stack.outputs())
    if not stack.settings().serve_artifacts:
        raise MistakeError(
            f"{name} has serveArtifacts: false, and what moves in is read through the server: move "
            "in without that key, and set it afterwards"
        )
    with TemporaryDirectory(prefix="trackstack-moved-in-") as to:
        options = [
            *(["--from", from_uri] if from_uri else []),
            # SQLite takes every number; a stack of processes has it, unless it is given another.
            *([] if isinstance(plan, LocalPlan) and not plan.has_given_store else ["--renumber"]),
            *(word for place in places for word in ("--artifacts", place)),
            *(word for text in were for word in ("--was", text)),
            *(word for place in linked for word in ("--linked", place)),
        ]
        done = _take(options, to)
        for line in lines(done):
            click.echo(f"move-in: {line}")
        code = fill(stack, Options(to, done["name"], force=False, patience=patience, dry_run=False))
    if code == 0:
        _tell_of_models(stack)
    return code


if __name__ == "__main__":
    main("infra.operations.recover.move_in", command)
