"""Every command that a page shows is one that there is."""

import re
from pathlib import Path

import pytest

from tests.docs.known import problems
from tests.docs.pages import commands, name, pages, shell, spans


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_command_in_a_block_is_one_that_there_is(page: Path) -> None:
    assert [p for words in shell(page) for p in problems(words)] == []


@pytest.mark.parametrize("page", pages(), ids=name)
def test_every_command_within_a_line_is_one_that_there_is(page: Path) -> None:
    """Of what is optional there, in brackets, the name is looked at; `<stack>` is any word."""
    ours = [text for text in spans(page) if text.startswith(("make ", "trackstack "))]
    said = [re.sub(r"[\[\]]", "", re.sub(r"<\w+>", "x", text)) for text in ours]
    found = [p for text in said for words in commands(text) for p in problems(words)]
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
    assert [p for words in commands(text) for p in problems(words)] == [problem]


def test_what_a_program_reads_is_no_command() -> None:
    assert list(commands("python - <<'END'\nmake nonsense\nEND\nmake up")) == [
        ["python", "-"],
        ["make", "up"],
    ]
