"""Symbolic links that lead out of the places that move in.

Who could write to the old server's folder could link to whatever its mover may read, and would find
it among the artifacts that the new server gives to everybody.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from runtime.artifacts.location import printable
from runtime.errors import UserError

_SHOWN = 5


def check(places: Sequence[Path], linked: Sequence[Path]) -> None:
    """Raise UserError where a link below ``places`` leads elsewhere than to them or ``linked``."""
    found = list(_outside([place.resolve() for place in places], [p.resolve() for p in linked]))
    if found:
        shown = [printable(f"{link} -> {target}") for link, target in found[:_SHOWN]]
        said = (
            f"{len(found)} symbolic links lead out of what moves in; where that is meant, say by "
            "--linked PLACE where they may lead, else take them away:"
        )
        raise UserError("\n".join([said, *shown]), 2)


def _outside(places: list[Path], linked: list[Path]) -> Iterator[tuple[Path, Path]]:
    allowed, seen = [*places, *linked], set[Path]()
    folders = list(places)
    while folders:
        folder = folders.pop()
        if folder in seen:
            continue
        seen.add(folder)
        with os.scandir(folder) as entries:
            for each in entries:
                path = Path(each.path)
                if not each.is_symlink():
                    if each.is_dir(follow_symlinks=False):
                        folders.append(path)
                    continue
                target = Path(os.path.realpath(path))
                if not any(target.is_relative_to(place) for place in allowed):
                    yield path, target
                elif target.is_dir():
                    folders.append(target)
