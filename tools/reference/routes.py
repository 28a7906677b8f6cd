"""The page of the server's routes."""

from collections.abc import Iterator
from types import ModuleType

from runtime.access.rules.routes import genai, registry, server, services, tracking
from tools.reference.text import GENERATED, code, table

_HEAD = f"""\
# Routes and roles

{GENERATED} Each route of MLflow 3.17.2 and of Trackstack, with the role that it needs. `read`
reads, `write` changes the team's records, `admin` sees secrets, starts jobs and decides about the
server. A higher role may do what a lower one may. What is not here, such as a newer MLflow's route,
needs `admin`. `/health` and the sign-in pages below `/trackstack/` need no token.

`{{name}}` is one part of a path, `{{name:path}}` any number. `/api/` stands for `/ajax-api/`, too,
and GET for HEAD. The scope is what a request is about: an experiment, a run, a model, an artifact's
path, the whole store (`global`), or nothing of it (`none`).

"""
_PARTS: tuple[ModuleType, ...] = (tracking, registry, genai, services, server)


def page() -> str:
    """The page, in Markdown."""
    sections = [section for part in _PARTS for section in _sections(part.TABLE)]
    head = ["method", "path", "role", "scope"]
    return _HEAD + "\n".join(f"## {title}\n\n{table(head, rows)}" for title, rows in sections)


def _sections(text: str) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Each title of a table of routes, with its rows."""
    for block in text.strip().split("\n\n"):
        title, *lines = block.splitlines()
        yield title.removeprefix("# ").partition(" (")[0], [_row(line) for line in lines]


def _row(line: str) -> tuple[str, ...]:
    role, scope, methods, path = line.split()
    return methods.replace(",", ", "), code(path), role, scope
