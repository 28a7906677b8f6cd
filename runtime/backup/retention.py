"""Which backups a place keeps. Pure.

Deleted is only what newer backups of the same store stand in for: with artifacts by such with
artifacts, of the database alone by such alone, and by none that holds much less.
"""

from collections.abc import Iterator, Sequence
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
    rows: int = 0
    files: int = 0

    def holds_as_much(self, other: "Found", percent: int) -> bool:
        """Whether it has at least so much of the other's rows, and of its files."""
        return self.rows * 100 >= other.rows * percent and self.files * 100 >= other.files * percent


@dataclass(frozen=True)
class Rule:
    """How many backups are kept; ``days``: younger ones too; ``percent``: with less than so much
    of another's rows or files, a backup does not stand in for it.
    """

    keep: int
    days: int | None = None
    percent: int = 0


def decide(
    found: Sequence[Found],
    store: str | None,
    now: datetime,
    rule: Rule,
    just_made: str | None = None,
) -> list[str]:
    """The backups of ``store`` to delete: for which ``rule.keep`` newer ones of their kind stand
    in, none that is younger than ``rule.days``, and never ``just_made``.

    Incomplete ones go when they are a day old. One whose store is not known is nobody's to delete,
    incomplete or not: it may be a copy of an old backup that is on its way here.
    """
    if store is None:
        return []
    due = [each.name for each in found if _is_unfinished(each, store, now)]
    for kind in _kinds(found, store, just_made):
        for number, each in enumerate(kind):
            newer = [of for of in kind[number + 1 :] if of.holds_as_much(each, rule.percent)]
            if len(newer) >= rule.keep and not _is_young(each.name, now, rule.days):
                due.append(each.name)
    return sorted(set(due) - {just_made})


def outgrown(found: Sequence[Found], store: str | None, rule: Rule) -> list[str]:
    """The backups of ``store`` that stay although there are enough newer ones, since those hold
    much less.
    """
    return sorted(
        each.name
        for kind in _kinds(found, store, None)
        for number, each in enumerate(kind[: -rule.keep])
        if sum(of.holds_as_much(each, rule.percent) for of in kind[number + 1 :]) < rule.keep
    )


def alarm(found: Sequence[Found], made: str, rule: Rule) -> Found | None:
    """The newest of the last ``rule.keep`` before ``made`` of which that has too little left; None
    where all is well.

    Not the last one alone: the second backup of an emptied store is as large as the first.
    """
    [new] = (each for each in found if each.name == made)
    if new.store is None:
        return None
    [kind] = (kind for kind in _kinds(found, new.store, made) if new in kind)
    before = [each for each in kind if each != new][-rule.keep :]
    return next((e for e in reversed(before) if not new.holds_as_much(e, rule.percent)), None)


def _kinds(
    found: Sequence[Found], store: str | None, just_made: str | None
) -> Iterator[list[Found]]:
    """The complete backups of a store, those with artifacts and the others, oldest first."""
    for has_artifacts in (True, False):
        yield sorted(
            (
                each
                for each in found
                if each.is_complete and each.store == store and each.has_artifacts == has_artifacts
            ),
            # Whatever a clock says, nothing is newer than what was made a moment ago.
            key=lambda each: (each.name == just_made, each.name),
        )


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
