"""Stack files, before the engine can be asked: on a new machine it knows neither stack nor login.

What else works on a stack asks the engine (`infra.operations.stack.Stack.settings`), which knows
more than the file, and refuses what is wrong with it.
"""

import json
import os
import shutil
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import click
import yaml

from infra.errors import StackError
from infra.operations.stack import MistakeError
from infra.settings import PROJECT

# Where Pulumi.yaml has them, in the project that is the working directory.
_FOLDER = Path("stacks")
_EXAMPLES = _FOLDER / "examples"
# A team's own folder of stack files, such as a clone of a repository of its own.
TEAM_S = "TRACKSTACK_STACKS"


def path(stack: str) -> Path:
    """Where the file of a stack is, or would be."""
    return _FOLDER / f"Pulumi.{stack}.yaml"


def find(stack: str, root: Path = Path()) -> Path:
    """A stack's file in the project in ``root``: its own, or else the example of its name.

    Raises FileNotFoundError that names those that are there, where there is neither, and
    StackError where its own is in two places, or a link that leads nowhere.
    """
    _link(root / path(stack))
    found = [file for file in (root / path(stack), root / example(stack)) if file.exists()]
    if not found:
        own = {*_names(root / _FOLDER), *(_names(folder) if (folder := _team_s()) else ())}
        there = sorted({*own, *_names(root / _EXAMPLES)})
        raise FileNotFoundError(f"there is no {path(stack)}; there are: {', '.join(there)}")
    return found[0]


def require(stack: str) -> None:
    """Make sure that a stack has a file of its own; an example of this machine is copied to be it.

    Those of clouds name accounts, which are the user's. Raises MistakeError where there is none,
    or where it is no YAML, of which the engine says little.
    """
    try:
        found = find(stack)
        config = read(found)
    except FileNotFoundError as error:
        raise MistakeError(str(error)) from None
    except StackError as error:
        raise MistakeError("\n".join(error.problems)) from None
    if not is_example(found):
        return
    if config.get(f"{PROJECT}:cloud") != "local":
        raise MistakeError(
            f"there is no {path(stack)}; this makes it of the example, with what is yours:\n"
            f"  make new STACK={stack}"
        )
    shutil.copyfile(found, path(stack))
    click.echo(f"{path(stack)}: copied from {_EXAMPLES}; it is yours to edit and commit")


def write(stack: str, text: str) -> Path:
    """Make the file of a new stack, in the team's folder where there is one; returns its path."""
    file = (_team_s() or _FOLDER) / path(stack).name
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("x") as new:
        new.write(text)
    _link(path(stack))
    return file


def _team_s() -> Path | None:
    given = os.environ.get(TEAM_S)
    return Path(given).expanduser().resolve() if given else None


def _link(file: Path) -> None:
    """Have a file of the team's folder where the engine looks, which writes through the link."""
    folder = _team_s()
    theirs = folder / file.name if folder else None
    if theirs and theirs != file.resolve() and theirs.exists():
        if file.exists() and not file.is_symlink():
            raise StackError(f"{file} and {theirs} are both there; keep the one that is right")
        file.unlink(missing_ok=True)
        file.symlink_to(theirs)
    if file.is_symlink() and not file.exists():
        raise StackError(f"{file} is a link to {file.readlink()}, which is not there")


def example(stack: str) -> Path:
    """Where the example of a name is, or would be."""
    return _EXAMPLES / f"Pulumi.{stack}.yaml"


def _names(folder: Path) -> list[str]:
    files = (file.name for file in folder.glob("Pulumi.*.yaml"))
    return [name.removeprefix("Pulumi.").removesuffix(".yaml") for name in files]


def read(file: Path) -> dict[str, Any]:
    """A stack file's configuration as it stands there, but for its secrets.

    Raises StackError where it is no YAML, and OSError where there is none.
    """
    return {key: value for key, value in _config(file).items() if "secure" not in _mapping(value)}


def secret_keys(file: Path) -> frozenset[str]:
    """The secret keys that a stack file has; raises as ``read`` does."""
    prefix = f"{PROJECT}:"
    return frozenset(
        key.removeprefix(prefix)
        for key, value in _config(file).items()
        if key.startswith(prefix) and "secure" in _mapping(value)
    )


def examples() -> list[str]:
    """The names of the examples."""
    return sorted(_names(_EXAMPLES))


def is_example(file: Path) -> bool:
    return file.parent == _EXAMPLES


def keys(stack: str) -> dict[str, str]:
    """The plain keys of a stack's file, or its example's, as text with Pulumi.yaml's defaults.

    Raises StackError where it is no YAML, and OSError where there is none.
    """
    return texts(read(find(stack)))


def texts(config: Mapping[str, Any]) -> dict[str, str]:
    """The plain keys of a configuration as text, as settings take them, with Pulumi.yaml's
    defaults.
    """
    prefix = f"{PROJECT}:"
    own = {k.removeprefix(prefix): v for k, v in config.items() if k.startswith(prefix)}
    return {key: _as_text(value) for key, value in (_defaults() | own).items()}


class _Loader(yaml.SafeLoader):
    """YAML as the engine reads it: a key that stands there twice is a mistake."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[str, int] = {}
        pairs = cast("list[tuple[yaml.Node, yaml.Node]]", node.value)
        for key, line in ((str(key.value), key.start_mark.line + 1) for key, _ in pairs):
            # To the engine, a key without a project is this one's.
            name = key.removeprefix(f"{PROJECT}:")
            if name in lines:
                raise yaml.YAMLError(
                    f"{key} stands in line {lines[name]}, and again in line {line}"
                )
            lines[name] = line
        return super().construct_mapping(node, deep)


def _config(file: Path) -> dict[str, Any]:
    """A stack file's configuration, as the engine names its keys.

    Raises StackError also for a key that is plainly meant to be this project's: the engine would
    take it for another one's, and nobody would read it.
    """
    config = {
        key if ":" in key else f"{PROJECT}:{key}": value
        for key, value in _mapping(_load(file).get("config")).items()
    }
    for key in config:
        project, _, name = key.partition(":")
        if project != PROJECT and get_close_matches(project.lower(), [PROJECT], cutoff=0.8):
            raise StackError(f"{file}: {key}: did you mean {PROJECT}:{name}?")
    return config


def _load(file: Path) -> dict[str, Any]:
    try:
        return _mapping(yaml.load(file.read_text(), _Loader))  # noqa: S506 - a safe one
    except yaml.MarkedYAMLError as error:
        place = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        # The engine writes more lines behind `config`, and a key behind those is in none of them.
        where = "; keys stand right below config:" if "not allowed here" in str(error) else ""
        raise StackError(f"{file}: is no YAML: {error.problem}{place}{where}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StackError(f"{file}: is no YAML: {' '.join(str(error).split())}") from None


def _mapping(value: Any) -> dict[str, Any]:
    found = cast("dict[Any, Any]", value) if isinstance(value, dict) else {}
    return {str(key): inner for key, inner in found.items()}


def _defaults() -> dict[str, Any]:
    schemas = _mapping(_load(Path("Pulumi.yaml")).get("config"))
    return {key: schema["default"] for key, schema in schemas.items() if "default" in schema}


def _as_text(value: Any) -> str:
    """As the engine hands it over: text, or JSON as text."""
    return value if isinstance(value, str) else json.dumps(value)
