"""What a run that is kept keeps: the runs that it is nested in, and what it was made from. Pure."""

from collections.abc import Collection, Iterable

from runtime.retention.entities import Kind, Run


def kept_along(stale: Collection[str], runs: Iterable[Run]) -> tuple[set[str], set[str]]:
    """The stale runs without those that a kept run points to, at any depth; and the experiments
    that kept runs point to.

    ``runs`` are all live ones.
    """
    left, experiments = set(stale), set[str]()
    by_id = {run.id: run for run in runs}
    # What was taken out of the stale is met once, so that runs that point in a circle end.
    kept = [run for run in by_id.values() if run.id not in left]
    while kept:
        for kind, key in kept.pop().points_to:
            if kind is Kind.EXPERIMENT:
                experiments.add(key)
            elif key in left:
                left.remove(key)
                kept.append(by_id[key])
    return left, experiments
