"""Locations that something still needs, and whether deleting another would touch them."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runtime.artifacts.location import MAY_BE_CUT, Destination, fully_unquoted

_ID = re.compile("(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_RUN = re.compile("runs:/+([^/?#]+)")


@dataclass(frozen=True)
class Claims:
    """Places (sorted), those of them that are needed with all that is around them, and ids.

    ``ids`` are all that any text named, without the ``m-`` of a logged model; ``runs`` those of
    ``runs:/`` URIs, behind which MLflow finds the run's logged models, too.
    """

    places: Sequence[str]
    folders: frozenset[str]
    ids: frozenset[str]
    runs: frozenset[str]

    def name(self, key: str, source_run: str | None = None) -> bool:
        """Whether an entity is named, or the run that a logged model is of, wherever they are."""
        return key.rpartition("-")[2] in self.ids or source_run in self.runs

    def on(self, place: str) -> str | None:
        """What claims a place: one that is equal, lies in it or contains it."""
        for first in (place, f"{place}/"):
            at = bisect_left(self.places, first)
            # Sorted, what lies in a place need not follow the place itself.
            found = self.places[at] if at < len(self.places) else ""
            if found == place or found.startswith(f"{place}/"):
                return found
        above = _above(place) if self.folders else ()
        return next((folder for folder in above if folder in self.folders), None)


def gather(
    destination: Destination, folders: Iterable[str], experiments: Iterable[str] = ()
) -> Claims:
    """The claims of texts. ``experiments``' locations have room for others beside and above.

    Not so one with a sign at which a reader may cut it: all that the experiment has would then be
    in the very place that is left.
    """
    places, whole, ids, runs = set[str](), set[str](), set[str](), set[str]()
    for text, is_folder in [*((t, True) for t in folders), *((t, False) for t in experiments)]:
        plain = fully_unquoted(text).lower()
        ids.update(_ID.findall(plain))
        runs.update(_RUN.findall(plain))
        meant = set(destination.meant(text))
        places |= meant
        whole |= meant if is_folder or MAY_BE_CUT.search(plain) else set()
    return Claims(sorted(places), frozenset(whole), frozenset(ids), frozenset(runs))


def named(texts: Iterable[str]) -> Claims:
    """Of texts that are no locations, and only name some, the ids alone."""
    ids, runs = set[str](), set[str]()
    for plain in (fully_unquoted(text).lower() for text in texts):
        ids.update(_ID.findall(plain))
        runs.update(_RUN.findall(plain))
    return Claims((), frozenset(), frozenset(ids), frozenset(runs))


def _above(place: str) -> Iterator[str]:
    while "/" in place:
        place = place.rpartition("/")[0]
        yield place
