"""`python -m infra.rehearsal.dump STACK...`: what each program sends to its providers, as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from pydantic.alias_generators import to_snake

from infra import settings
from infra.errors import StackError
from infra.operations.stack import MistakeError, main
from infra.operations.stack import file as stack_file
from infra.place import read_place
from infra.plan import make_plan
from infra.rehearsal.dump.answers import Answers
from infra.rehearsal.dump.recording import masked, record
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.keys import account


def dump(stack: str, changes: Mapping[str, str] | None = None) -> dict[str, Any]:
    """``keys``, as text, and ``resources`` of one stack or example; ``changes`` are other keys.

    Raises StackError where its file is wrong, RehearsalError where a cloud's SDK is missing.
    """
    file = stack_file.find(stack)
    given = stack_file.keys(stack)
    if stack_file.is_example(file):
        given |= account(given["cloud"])
    given |= changes or {}
    secret = stack_file.secret_keys(file)
    read = settings.read(given, secret)
    plan = make_plan(read, read_place(read, stack, secret))
    values = {to_snake(key): key for key in secret}
    with TemporaryDirectory() as folder:
        found = record(plan, stack, Answers(read.providers, Path(folder)), values)
    # The engine is asked in no order where nothing waits.
    found.sort(key=lambda made: str(made.options["urn"]))
    resources = [
        {"type": m.type, "name": m.name, "inputs": masked(m.inputs), "options": m.options}
        for m in found
        if not m.is_component
    ]
    return {"keys": given, "resources": resources}


@click.command(epilog="Example: python -m infra.rehearsal.dump azure-dev --out dump.json")
@click.argument("stacks", nargs=-1)
@click.option(
    "--config",
    "-c",
    "given",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another value than in the stack files; can be repeated.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Where it goes.  [default: standard output]",
)
def command(stacks: tuple[str, ...], given: tuple[str, ...], out: Path | None) -> None:
    """Write what the programs of STACKS send to their providers, secrets masked.

    Without STACKS those of all examples. No account, engine or network is needed. The JSON is
    {stack: {"keys", "resources": [{"type", "name", "inputs", "options"}]}}.
    """
    changes: dict[str, str] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"{pair} is not KEY=VALUE")
        changes[key] = value
    try:
        dumped = {stack: dump(stack, changes) for stack in stacks or stack_file.examples()}
    except (StackError, FileNotFoundError) as error:
        raise MistakeError("\n".join(getattr(error, "problems", [str(error)]))) from None
    except RehearsalError as error:
        raise click.ClickException(str(error)) from None
    text = json.dumps(dumped, indent=1, sort_keys=True) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    out.write_text(text)
    count = sum(len(case["resources"]) for case in dumped.values())
    click.echo(f"{out}: {count} resources of {', '.join(dumped)}")


if __name__ == "__main__":
    main("infra.rehearsal.dump", command, mistake=2)
