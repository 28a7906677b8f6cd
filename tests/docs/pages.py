"""The pages that people read, and what stands in them."""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from infra.place import ROOT

_ALONE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "stacks/README.md")
_BLOCK = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")
_HERE_DOCUMENT = re.compile(r"(?ms)(<<'(\w+)'[^\n]*\n).*?^\2$")


def pages() -> list[Path]:
    """README and its like, and all of docs/."""
    found = [ROOT / name for name in _ALONE] + sorted((ROOT / "docs").rglob("*.md"))
    assert len(found) > 20
    return found


def name(page: Path) -> str:
    """A page as one says it."""
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return _BLOCK.sub("", page.read_text())


def spans(page: Path) -> list[str]:
    """What stands as code within lines."""
    return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", prose(page))]


def shell(page: Path) -> Iterator[list[str]]:
    """Each command in the blocks of shell, as words, without the variables before it."""
    for language, block in _BLOCK.findall(page.read_text()):
        if language == "sh":
            yield from commands(block)


def commands(text: str) -> Iterator[list[str]]:
    """Each command of a script, also those within `$(...)`, as words.

    Raises ValueError where a quote is not closed.
    """
    text = _HERE_DOCUMENT.sub(r"\1", text).replace("\\\n", " ")
    for inner in re.findall(r"\$\(([^()]*)\)", text):
        yield from commands(inner)
    text = re.sub(r"\$\([^()]*\)", "x", text)
    for line in text.splitlines():
        # Operators are words of their own, and a comment is none.
        reader = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
        reader.whitespace_split = True
        words: list[str] = []
        for word in [*_not_redirected(reader), ";"]:
            if re.fullmatch(r"[();|&]+", word):
                if found := _without_variables(words):
                    yield found
                words = []
            else:
                words.append(word)


def _not_redirected(words: Iterable[str]) -> Iterator[str]:
    """Without where its input comes from and its output goes."""
    given = iter(words)
    for word in given:
        if re.fullmatch("[<>]+", word):
            next(given, None)
        else:
            yield word


def _without_variables(words: list[str]) -> list[str]:
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return words
