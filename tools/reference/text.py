"""Pieces of Markdown."""

from collections.abc import Iterable, Sequence

GENERATED = "`make reference` writes this page from the code."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar within a cell is none between cells."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def code(value: object) -> str:
    """As code; nothing where there is nothing to show."""
    return f"`{value}`" if value not in (None, "", (), [], {}) else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
