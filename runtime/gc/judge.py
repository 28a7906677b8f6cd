"""What becomes of each entity of a batch. Pure: rows and what is in use in, decisions out."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Any

from runtime.artifacts.location import Destination, NotOwnError, printable
from runtime.gc.in_use import Needed
from runtime.gc.ownership import TRACES_WITHIN, Owner


@dataclass
class Judgement:
    """By key: the place of what goes with its artifacts, and why anything of the others stays.

    ``left``: rows go, artifacts stay. ``kept``: both stay, because of another row; ``registered``:
    because of a registered version.
    """

    places: dict[str, str] = field(default_factory=dict[str, str])
    left: dict[str, str] = field(default_factory=dict[str, str])
    kept: dict[str, str] = field(default_factory=dict[str, str])
    registered: set[str] = field(default_factory=set[str])

    def stays(self, key: str) -> bool:
        """Whether the entity's rows stay."""
        return key in self.kept or key in self.registered


def judge(
    destination: Destination,
    needed: Needed,
    within: str,
    rows: Iterable[Any],
    shared: Set[str] = frozenset(),
) -> Judgement:
    """Decide on entities of one kind; ``within`` is the folder that holds them in an experiment's.

    A row has ``key``, ``location``, ``experiment_id`` and ``source_run``. One without a location
    has no artifacts, and goes. ``shared`` are the ids that both a run and a trace have: in a folder
    for traces, where an experiment of the run's may lie, too, nothing is only the one's.
    """
    owner, judgement = Owner(destination), Judgement()
    for row in rows:
        if needed.versions.name(row.key, row.source_run):
            judgement.registered.add(row.key)
            continue
        if needed.datasets.name(row.key):
            judgement.kept[row.key] = "a dataset of a live run names it"
            continue
        if not row.location:
            continue
        of_experiment = needed.experiments.get(row.experiment_id, "")
        try:
            place = owner.place(within, row.key, row.experiment_id, of_experiment, row.location)
        except NotOwnError as error:
            judgement.left[row.key] = str(error)
            continue
        if needed.versions.on(place):
            judgement.registered.add(row.key)
        elif claim := needed.others.on(place):
            judgement.kept[row.key] = f"{printable(claim)} is in use"
        elif row.key in shared and place.endswith(f"/{TRACES_WITHIN}{row.key}/artifacts"):
            error = NotOwnError(row.location, "may belong to both a run and a trace of that id")
            judgement.left[row.key] = str(error)
        else:
            judgement.places[row.key] = place
    return judgement
