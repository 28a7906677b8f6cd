"""`make new`: a stack file from an example, with what its owner alone knows."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import click
import yaml

from infra.errors import StackError
from infra.operations.stack import MistakeError, main
from infra.operations.stack import file as stack_file
from infra.settings import PROJECT, model_of, parse

PREFIX = f"{PROJECT}:"
# What each team has its own of, in the order in which it is asked.
OWN = ("subscriptionId", "tenancyId", "compartmentId", "region", "allowedCidrs", "alertEmail")
# Addresses that are nobody's: RFC 5737, RFC 2606.
_NOBODY_S = ("203.0.113.", "example.com")
# https://www.pulumi.com/docs/iac/concepts/stacks/#create-stack
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@click.command()
@click.argument("name", metavar="STACK", default="")
@click.option("--from", "example", default="", help="The example to begin with.")
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="KEY=VALUE",
    help="A key's value, instead of a question.",
)
def command(name: str, example: str, given: tuple[str, ...]) -> None:
    """Write the file of a new stack: an example's, with your subscription, region and networks.

    What is not given is asked for on a terminal. Nothing is written unless all of it is right.

    \b
      make new STACK=prod FROM=azure-prod
      make new STACK=prod FROM=azure-prod SET="region=northeurope allowedCidrs=198.51.100.0/24"
    """
    if not name:
        raise MistakeError("which stack? make new STACK=prod FROM=azure-prod")
    if not _NAME.fullmatch(name):
        raise MistakeError(f"{name!r} is no name of a stack: letters, digits, - _ and . make one")
    target = stack_file.path(name)
    if target.exists() or target.is_symlink():
        raise MistakeError(f"{target} is there; edit it, or take another name")
    source = _example(name, example)
    answers = _parsed(given)
    config = stack_file.read(source)
    asked = [key for key in OWN if f"{PROJECT}:{key}" in config and key not in answers]
    if asked and not sys.stdin.isatty():
        listed = " ".join(f"{key}=…" for key in asked)
        raise MistakeError(f'with no terminal to ask on, give them: SET="{listed}"')
    for key in asked:
        answers[key] = _ask(key, config, answers)
    own = {f"{PREFIX}{key}": value for key, value in answers.items()}
    try:
        parse(stack_file.texts({**config, **own}))
    except StackError as error:
        raise MistakeError("\n".join(error.problems)) from None
    text = filled(source.read_text(), name, example or name, answers)
    written = stack_file.write(name, text)
    click.echo(f"{written}: written; it is yours to edit and commit")
    cloud = config[f"{PREFIX}cloud"]
    steps = ["rehearse", "preflight", "up"] if cloud != "local" else ["up"]
    click.echo("next: " + ", then ".join(f"make {step} STACK={name}" for step in steps))


def filled(text: str, name: str, example: str, answers: Mapping[str, Any]) -> str:
    """An example's text with other values; what it has no line for comes last. Pure."""
    text = re.sub(rf"STACK={re.escape(example)}\b", f"STACK={name}", text)
    for key, value in answers.items():
        line = f"  {PREFIX}{key}: {_flow(value)}"
        text, found = re.subn(
            rf"^  {PREFIX}{key}:.*$", line.replace("\\", r"\\"), text, flags=re.MULTILINE
        )
        if not found:
            text = f"{text.rstrip()}\n{line}\n"
    return text


def _flow(value: Any) -> str:
    """A value as YAML in one line."""
    dumped = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return dumped.removesuffix("...\n").strip()


def _example(name: str, example: str) -> Path:
    names = stack_file.examples()
    if (example or name) not in names:
        wrong = (
            f"{example!r} is no example" if example else "which example it begins with is missing"
        )
        raise MistakeError(f"{wrong}: FROM=<one of {', '.join(names)}>")
    return stack_file.example(example or name)


def _parsed(given: Sequence[str]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for pair in given:
        key, sign, value = pair.partition("=")
        if not sign or not key:
            raise MistakeError(f"{pair!r}: a key and its value are KEY=VALUE")
        answers[key.removeprefix(PREFIX)] = _value(key, value)
    return answers


def _value(key: str, text: str) -> Any:
    """What a person types for a key; networks with commas between are a list."""
    if key == "allowedCidrs" and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _ask(key: str, config: Mapping[str, Any], answers: Mapping[str, Any]) -> Any:
    """Ask until the answer is one that the key may have."""
    model = model_of(stack_file.texts(config))
    field = next(field for field in model.model_fields.values() if field.alias == key)
    click.echo(f"{key}: {field.description}")
    value = config[f"{PREFIX}{key}"]
    shown = ", ".join(cast("list[str]", value)) if isinstance(value, list) else str(value)
    has_default = not any(mark in shown for mark in _NOBODY_S) and not _wrong(
        key, value, config, answers
    )

    def check(text: str) -> Any:
        answer = _value(key, text)
        if problems := _wrong(key, answer, config, answers):
            raise click.UsageError("; ".join(problems))
        return answer

    return click.prompt(key, default=shown if has_default else None, value_proc=check)


def _wrong(
    key: str, value: Any, config: Mapping[str, Any], answers: Mapping[str, Any]
) -> list[str]:
    """What the settings say of one key's value. Pure."""
    own = {f"{PREFIX}{name}": answer for name, answer in answers.items()}
    try:
        parse(stack_file.texts({**config, **own, f"{PREFIX}{key}": value}))
    except StackError as error:
        return [problem for problem in error.problems if problem.startswith(f"{PREFIX}{key}:")]
    return []


if __name__ == "__main__":
    main("infra.operations.stack.new", command, mistake=2)
