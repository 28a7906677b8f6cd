"""What a pass takes of what is stale. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from runtime.errors import UserError
from runtime.retention.entities import Kind, Stale

# Below this many live runs, more than half of them is a handful.
_FEW_RUNS = 10
# In ms: by how much passes differ in when they begin.
_EARLY = 5 * 60 * 1000
_REGISTRY = (Kind.MODEL_VERSION, Kind.REGISTERED_MODEL)
REGISTRY_STAYS = (
    "registered models and versions stay: MLflow deletes them for good, so prune does only with "
    "TRACKSTACK_PRUNE_REGISTRY=true (pruneRegistry)"
)


def counts(entities: Iterable[Stale]) -> dict[Kind, int]:
    """How many there are of each kind."""
    found = Counter(entity.kind for entity in entities)
    return {kind: found[kind] for kind in Kind}


def taken_along(entities: Iterable[Stale]) -> dict[Stale, list[Stale]]:
    """What goes with others that go as a whole: experiment -> its runs, model -> its versions."""
    given = list(entities)
    within: dict[tuple[Kind, str], list[Stale]] = defaultdict(list)
    for entity in given:
        if entity.kind is Kind.RUN:
            within[Kind.EXPERIMENT, entity.experiment].append(entity)
        elif entity.kind is Kind.MODEL_VERSION:
            within[Kind.REGISTERED_MODEL, entity.key.rpartition("/")[0]].append(entity)
    return {entity: found for entity in given if (found := within.get((entity.kind, entity.name)))}


def without_registry(
    entities: Sequence[Stale], allowed: bool
) -> tuple[Sequence[Stale], Sequence[Stale]]:
    """What may be deleted, and what stays: registered models and versions, unless allowed."""
    if allowed:
        return entities, ()
    left = [entity for entity in entities if entity.kind in _REGISTRY]
    return [entity for entity in entities if entity.kind not in _REGISTRY], left


def due(
    entities: Sequence[Stale], first: Mapping[Stale, int], now: int, notice: int
) -> list[Stale]:
    """Those that stand in every report for ``notice`` ms, and in an earlier one at least.

    What would take others along, an experiment its runs, a model its versions, waits for them.
    """
    waiting = {e for e in entities if first[e] >= now or now - first[e] < notice}
    along = taken_along(entities)
    return [e for e in entities if waiting.isdisjoint((e, *along.get(e, ())))]


@dataclass(frozen=True)
class Coming:
    """What a later pass deletes, if nobody uses or keeps it before."""

    at: int
    """Not before then; ms since 1970."""
    counts: Mapping[Kind, int]


def coming(
    waiting: Sequence[Stale],
    first: Mapping[Stale, int],
    notice: int,
    pass_after: Callable[[int], int],
) -> Coming | None:
    """The next pass that deletes any of those that `due` leaves ``waiting``; None where none does.

    ``pass_after`` says when the first pass after a moment begins; all times are ms.
    """
    along = taken_along(waiting)
    ends = {e: max(first[each] for each in (e, *along.get(e, ()))) + notice for e in waiting}
    if not ends:
        return None
    # A pass may begin earlier in its day than the one that noted them: said is the earlier.
    at = pass_after(min(ends.values()) - _EARLY)
    return Coming(at, counts(entity for entity, end in ends.items() if end - _EARLY <= at))


def check_share(entities: Iterable[Stale], live_runs: int, allowed: bool) -> None:
    """Raise UserError where more than half of the live runs would go, unless that is allowed."""
    runs = counts(entities)[Kind.RUN]
    if allowed or live_runs <= _FEW_RUNS or runs * 2 <= live_runs:
        return
    raise UserError(
        f"nothing was deleted: {runs} of the {live_runs} live runs would go, more than half; look "
        "at them with `trackstack report`, and allow it once with `trackstack prune "
        "--more-than-half`"
    )
