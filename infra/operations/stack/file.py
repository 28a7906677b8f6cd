"""Stack files, before the engine can be asked: on a new machine it knows neither stack nor login.

What else works on a stack asks the engine (`infra.operations.stack.Stack.settings`), which knows
more than the file, and refuses what is wrong with it.
"""

import json
from pathlib import Path
from typing import Any, cast

import yaml

from infra.errors import StackError
from infra.settings import PROJECT

# Where Pulumi.yaml has them, in the project that is the working directory.
_FOLDER = Path("stacks")


def path(stack: str) -> Path:
    """Where the file of a stack is, or would be."""
    return _FOLDER / f"Pulumi.{stack}.yaml"


def names(root: Path = Path()) -> list[str]:
    """The stacks that have a file in the project in ``root``."""
    files = (file.name for file in (root / _FOLDER).glob("Pulumi.*.yaml"))
    return sorted(name.removeprefix("Pulumi.").removesuffix(".yaml") for name in files)


def read(file: Path) -> dict[str, Any]:
    """A stack file's configuration as it stands there, but for its secrets.

    Raises StackError where it is no YAML, and OSError where there is none.
    """
    config = _mapping(_load(file).get("config"))
    return {key: value for key, value in config.items() if "secure" not in _mapping(value)}


def keys(stack: str) -> dict[str, str]:
    """The plain keys of a stack's file as text, with the defaults of Pulumi.yaml.

    Raises StackError where it is no YAML, and OSError where there is none.
    """
    prefix = f"{PROJECT}:"
    config = read(path(stack))
    own = {k.removeprefix(prefix): v for k, v in config.items() if k.startswith(prefix)}
    return {key: _as_text(value) for key, value in (_defaults() | own).items()}


def _load(file: Path) -> dict[str, Any]:
    try:
        return _mapping(yaml.safe_load(file.read_text()))
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
