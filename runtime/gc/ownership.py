"""Whose an artifact location is: the one decision about what gc may delete.

A location is an entity's own only by exact text, as MLflow makes it: ``mlflow-artifacts:/<number>``
or ``<destination>/<number>`` for an experiment, and ``<experiment's location>/<run id>/artifacts``
for a run, alike for logged models and traces. Ids of runs and models are the server's, and random,
so that such a text is shared by nobody, but for traces: clients choose their ids (see ``judge``).
What an experiment's location looks like is up to whoever makes the experiment; therefore it
counts only where it is plainly written and lies strictly below the destination, on disk too.

Decisions only: of the file system nothing is asked but where symbolic links lead.
"""

import os
import re

from runtime.artifacts.location import LINKED, Destination, NotOwnError, is_local

# The folder in an experiment's that holds its traces, with a slash behind.
TRACES_WITHIN = "traces/"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# Of traces, the forms that MLflow makes, now and formerly. Others can be names of folders.
_TRACE_ID = re.compile(r"tr-[0-9a-f]+|[0-9a-f]{32}")
# The artifacts of a run, a logged model or a trace, in the middle of a location.
_ARTIFACTS = re.compile(r"/(?:(?:m-)?[0-9a-f]{32}|tr-[0-9a-f]+)/artifacts(?:/|$)")
_NOT_MADE = "is not where MLflow puts it"


class Owner:
    """Decides for the entities of one batch, and looks at each experiment's location once."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._heads: dict[tuple[int, str], str | NotOwnError] = {}

    def place(
        self, within: str, key: str, experiment: int, experiment_location: str, location: str
    ) -> str:
        """The place of an entity's own artifacts; raises NotOwnError where it has none.

        ``within`` is the folder in an experiment's that holds entities of its kind, with a slash
        behind, and empty for runs.
        """
        tail = f"/{within}{key}/artifacts"
        head = location.removesuffix(tail)
        made = _TRACE_ID if within == TRACES_WITHIN else _ID
        if head == location or not made.fullmatch(key):
            raise NotOwnError(location, _NOT_MADE)
        known = (experiment, head)
        if known not in self._heads:
            self._heads[known] = self._look(experiment, experiment_location, head)
        found = self._heads[known]
        if isinstance(found, NotOwnError):
            # Of this location, not of the one that was looked at first.
            raise NotOwnError(location, found.reason)
        if is_local(found) and _is_link_on_the_way(found, f"{within}{key}"):
            raise NotOwnError(location, LINKED)
        return found + tail

    def _look(self, experiment: int, location: str, head: str) -> str | NotOwnError:
        """Where entities of an experiment are whose locations begin with ``head``."""
        if not self._destination.is_numbered(head, experiment):
            if head != location.removesuffix("/"):
                return NotOwnError(head, _NOT_MADE)
            if _ARTIFACTS.search(head):
                return NotOwnError(head, "lies in the artifacts of something else")
        try:
            return self._destination.place_of_all(head)
        except NotOwnError as error:
            return error


def _is_link_on_the_way(place: str, names: str) -> bool:
    """Whether a folder that leads to an entity's artifacts is a symbolic link.

    Of the artifacts themselves a link is deleted, and not what it leads to.
    """
    for name in names.split("/"):
        place = f"{place}/{name}"
        # Path objects would take as long as all else here.
        if os.path.islink(place):  # noqa: PTH114
            return True
    return False
