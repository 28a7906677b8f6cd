"""Every command that a page shows is one that there is."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.place import ROOT
from tests.docs.pages import commands, name, pages, shell, spans
from tools.reference.commands import commands as known_commands
from tools.reference.commands import targets

_KNOWN = dict(known_commands())
_TARGETS = set(targets())
_VARIABLES = set(re.findall(r"\$\((?:if \$\()?([A-Z]+)\)", (ROOT / "Makefile").read_text()))


def _problems(words: list[str]) -> Iterator[str]:
    """What is wrong with one command; nothing with one that is none of ours."""
    match words:
        case ["make", *rest]:
            yield from _of_make(rest)
        case ["trackstack", *rest]:
            yield from _of_trackstack(rest)
        case ["python", "-m", module, *_] if module.split(".")[0] in ("infra", "tests", "tools"):
            path = ROOT / module.replace(".", "/")
            if not (path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()):
                yield f"no module {module}"
        case _:
            return


def _of_make(words: list[str]) -> Iterator[str]:
    for word in words:
        variable, assigned, value = word.partition("=")
        if assigned:
            if variable not in _VARIABLES:
                yield f"make has no {variable}"
            elif variable == "ARGS":
                yield from _of_trackstack(shlex.split(value))
        elif not word.startswith("-") and word not in _TARGETS:
            yield f"no target {word}"


def _of_trackstack(words: list[str]) -> Iterator[str]:
    path, rest = "trackstack", iter(words)
    for word in rest:
        known = _KNOWN[path]
        if word.startswith("--"):
            option, assigned, _ = word.partition("=")
            found = [each for each in known["params"] if option in each["opts"]]
            if not found:
                yield f"{path} has no {option}"
                return
            elif not found[0]["is_flag"] and not assigned:
                next(rest, None)
        elif "commands" in known:
            if word == "COMMAND":
                return
            if word not in known["commands"]:
                yield f"{path} has no {word}"
                return
            path = f"{path} {word}"


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_command_in_a_block_is_one_that_there_is(page: Path) -> None:
    assert [problem for words in shell(page) for problem in _problems(words)] == []


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_command_within_a_line_is_one_that_there_is(page: Path) -> None:
    """Of what is optional there, in brackets, the name is looked at; `<stack>` is any word."""
    ours = [text for text in spans(page) if text.startswith(("make ", "trackstack "))]
    said = [re.sub(r"[\[\]]", "", re.sub(r"<\w+>", "x", text)) for text in ours]
    found = [p for text in said for words in commands(text) for p in _problems(words)]
    # What has gone is told of in the changelog, as it was.
    assert page.name == "CHANGELOG.md" or found == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("make upp", "no target upp"),
        ("make up STACKS=a", "make has no STACKS"),
        ("export A=$(make -s tokens)", "no target tokens"),
        ("A=b trackstack backup \\\n  --tow /x", "trackstack backup has no --tow"),
        ("trackstack backup --to /x verifi", "trackstack backup has no verifi"),
        ('make run ARGS="token ad ann"', "trackstack token has no ad"),
        ("cd x && trackstack prunes # all", "trackstack has no prunes"),
        ("python -m infra.operations.ups", "no module infra.operations.ups"),
    ],
)
def test_what_there_is_not_is_found(text: str, problem: str) -> None:
    assert [p for words in commands(text) for p in _problems(words)] == [problem]


def test_what_a_program_reads_is_no_command() -> None:
    assert list(commands("python - <<'END'\nmake nonsense\nEND\nmake up")) == [
        ["python", "-"],
        ["make", "up"],
    ]
