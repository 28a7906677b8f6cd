"""Nested runs: one that is kept keeps all that it is nested in. Pure."""

from collections.abc import Collection, Mapping

# MLflow's own, on a nested run: the id of the run that it belongs to.
PARENT_TAG = "mlflow.parentRunId"


def without_parents_of_kept(
    stale: Collection[str], tags: Mapping[str, Mapping[str, str]]
) -> set[str]:
    """The stale runs without those that a kept run is nested in, at any depth.

    ``tags`` are those of all live runs, by id.
    """
    left = set(stale)
    for run in tags.keys() - left:
        parent = tags[run].get(PARENT_TAG)
        # What was taken out is not met again, so that parents in a circle end.
        while parent in left:
            left.remove(parent)
            parent = tags[parent].get(PARENT_TAG)
    return left
