"""Which backups a place keeps. Pure.

Deleted is only what newer backups of the same store stand in for: with artifacts by such with
artifacts, of the database alone by such alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runtime.backup.format.manifest import time_of

# A backup may take so long; one that has no manifest after it was killed.
_UNFINISHED_AGE = timedelta(days=1)


@dataclass(frozen=True)
class Found:
    """A backup in a place: whether it is complete and has artifacts, and of which store it is.

    ``store`` is None where an earlier version made it, it cannot be read, or it misses files.
    """

    name: str
    is_complete: bool
    has_artifacts: bool
    store: str | None


def decide(
    found: Sequence[Found],
    store: str | None,
    now: datetime,
    keep: int,
    keep_days: int | None,
    just_made: str | None = None,
) -> list[str]:
    """The backups of ``store`` to delete: neither of the ``keep`` newest of their kind nor younger
    than ``keep_days``, and never ``just_made``.

    Incomplete ones go when they are a day old. One whose store is not known is nobody's to delete,
    incomplete or not: it may be a copy of an old backup that is on its way here.
    """
    if store is None:
        return []
    due = [each.name for each in found if _is_unfinished(each, store, now)]
    for has_artifacts in (True, False):
        of_a_kind = sorted(
            (
                each.name
                for each in found
                if each.is_complete and each.store == store and each.has_artifacts == has_artifacts
            ),
            # Whatever a clock says, nothing is newer than what was made a moment ago.
            key=lambda name: (name == just_made, name),
        )
        due += [name for name in of_a_kind[:-keep] if not _is_young(name, now, keep_days)]
    return sorted(set(due) - {just_made})


def of_nobody(found: Sequence[Found]) -> list[str]:
    """The complete backups that nothing deletes, since it is not known whose they are."""
    return sorted(each.name for each in found if each.is_complete and each.store is None)


def _is_unfinished(each: Found, store: str, now: datetime) -> bool:
    begun = time_of(each.name)
    return (
        not each.is_complete
        and each.store == store
        and begun is not None
        and now - begun > _UNFINISHED_AGE
    )


def _is_young(name: str, now: datetime, keep_days: int | None) -> bool:
    begun = time_of(name)
    return bool(keep_days and begun and now - begun < timedelta(days=keep_days))
