"""What a plan needs of this machine, read before it is made: files, home folders, versions."""

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from pydantic.alias_generators import to_camel

from infra.errors import StackError
from infra.plan.place import Place
from infra.settings import PROJECT, Settings

# The project's root folder, of the program that runs and of the commands that work on its stacks.
ROOT = Path(__file__).resolve().parents[1]
# Settings that name files which are read, and those that name any path.
_FILES = ("tls_certificate_file", "extra_ca_file")
_PATHS = ("data_dir", "artifacts_destination", "backup_destination", *_FILES)


def read_place(
    settings: Settings, stack: str, secret_keys: frozenset[str], root: Path = ROOT
) -> Place:
    """The place of a stack file under ``root``, with all that its plan needs of this machine.

    Raises StackError with a line for each key that names what cannot be found.
    """
    problems: list[str] = []
    homes, texts = _own_home(), dict[str, str]()
    paths = {field: getattr(settings, field, None) for field in _PATHS}
    for field, text in paths.items():
        first = next(iter(Path(text or "").parts), "")
        if first.startswith("~"):
            try:
                homes[first] = Path(first).expanduser()
            except RuntimeError:
                problems.append(f"{_key(field)}: {first} is nobody's home folder on this machine")
    if not problems:
        place = Place(stack, root, homes=homes)
        for field in _FILES:
            if text := paths[field]:
                try:
                    texts[to_camel(field)] = place.path(text).read_text()
                except (OSError, UnicodeDecodeError) as error:
                    problems.append(f"{_key(field)}: cannot read {place.path(text)}: {error}")
    if problems:
        raise StackError(*problems)
    cpus = os.cpu_count() or 1
    return Place(stack, root, secret_keys, homes, texts, deployed_version(), cpus)


def _own_home() -> dict[str, Path]:
    """The user's home folder; nothing for a user without one."""
    try:
        return {"~": Path.home()}
    except RuntimeError:
        return {}


def _key(field: str) -> str:
    return f"{PROJECT}:{to_camel(field)}"


def deployed_version() -> str:
    """The versions whose change makes a new deployment."""
    return f"trackstack {version('trackstack')}, mlflow {version('mlflow')}"


def systemd_texts() -> Mapping[str, str]:
    """The project's files for virtual machines, by name."""
    folder = ROOT / "runtime" / "systemd"
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
