"""The field's words: names that are private to this project stand for one that everybody knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import pages

_ROOT = Path(__file__).parents[2]
# Ours -> what the field says.
_WORDS = {
    "front": "reverse proxy",
    "fronts": "reverse proxies",
    "turn": "lease, leader election",
    "turns": "lease, leader election",
    "waiting_room": "maintenance responder",
    "slim": "dependency pruning",
    "wish": "options",
    "wishes": "options",
    "ground": "host",
    "door": "API endpoint",
    "mistakes": "negative cases",
    "picture": "graph",
}
# Of the rehearsal alone: elsewhere a stage is MLflow's, and a proof one of a login.
_WORDS_OF_THE_REHEARSAL = {
    "stage": "sandbox",
    "staged": "prepared",
    "raised": "deployed",
    "proof": "leak check",
}
# Names that users' files or states have already.
_KEPT = {
    "front_image": "the key frontImage",
}
# How a page or a message would say it; "in front of" and "front matter" are plain English.
_IN_TEXT = re.compile(r"\b(?:TLS|the|a) fronts?\b|\bmy-turn\b|\bslimmed?\b", re.IGNORECASE)


def _modules() -> list[Path]:
    found = [path for part in ("infra", "runtime") for path in (_ROOT / part).rglob("*.py")]
    assert len(found) > 100
    return found


def _names(tree: ast.Module) -> Iterator[str]:
    """What a module itself names: functions, classes, arguments, variables and attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
                yield node.name
            case ast.arg():
                yield node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.attr
            case _:
                pass


def _words(name: str) -> set[str]:
    """The words of a name in snake_case or CamelCase."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


@pytest.mark.parametrize("path", _modules(), ids=lambda path: path.relative_to(_ROOT).as_posix())
def test_no_name_is_a_private_word(path: Path) -> None:
    names = {path.stem, *_names(ast.parse(path.read_text()))} - _KEPT.keys()
    is_rehearsal = "rehearsal" in path.parts
    private = {**_WORDS, **(_WORDS_OF_THE_REHEARSAL if is_rehearsal else {})}
    found = {name: _words(name) & private.keys() for name in names}
    assert {name: words for name, words in found.items() if words} == {}


def test_no_text_says_a_private_word() -> None:
    texts = {path: path.read_text() for path in _modules()}
    # The changelog tells of old names.
    texts |= {page: page.read_text() for page in pages() if page.name != "CHANGELOG.md"}
    said = {
        f"{path.relative_to(_ROOT)}: {found.group()}"
        for path, text in texts.items()
        for found in _IN_TEXT.finditer(text)
    }
    assert said == set()
