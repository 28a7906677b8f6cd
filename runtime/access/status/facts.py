"""What there is to say of a server, and what is not well with it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any, cast

from runtime import metrics
from runtime.access.status.margins import CERTIFICATE_RENEWED_BY, LEAST_FREE_BYTES
from runtime.jobs.growth import Day
from runtime.jobs.runs import JobState, overdue
from runtime.retention.entities import KEEP_TAG

_STOP = (
    f"the tag {KEEP_TAG}=true keeps a run, experiment or model, and so does using it; "
    "pruneAction: report (TRACKSTACK_PRUNE_ACTION=report) stops all of it"
)


@dataclass(frozen=True)
class Disk:
    """A disk of this server's, and which data lie on it."""

    holds: tuple[str, ...]
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Store:
    """What the backend store says; ``has`` and ``should`` are schema revisions."""

    has: str | None
    should: str
    states: Sequence[JobState] = ()
    days: Sequence[Day] = ()
    kind: str = "sqlite"
    size: int = 0
    """Bytes of the database."""
    ending: Sequence[Mapping[str, Any]] = ()
    """The tokens that end soon, as `listing.told` has them: the shared ones, and the caller's."""


@dataclass(frozen=True)
class Seen:
    """All that was found out at ``now``."""

    now: datetime
    stack: str | None
    store: Store | str
    """A text says why it could not be asked."""
    disks: Sequence[Disk] = ()
    certificate_ends: datetime | None = None
    shows_shared: bool = False
    """Whether who asks may see the names of shared tokens."""


def facts(seen: Seen) -> dict[str, Any]:
    """As JSON has it."""
    now, told = seen.now, _of_store(seen)
    ends = seen.certificate_ends
    return {
        "stack": seen.stack,
        "trackstack": version("trackstack"),
        "mlflow": version("mlflow"),
        "time": _time(now),
        **told,
        "disks": [asdict(disk) for disk in seen.disks],
        "certificate_ends": _time(ends) if ends else None,
        "problems": [*told["problems"], *_of_machine(seen)],
    }


def _of_store(seen: Seen) -> dict[str, Any]:
    store, now = seen.store, seen.now
    if isinstance(store, str):
        said = f"the backend store does not answer ({store}): `trackstack doctor` says why"
        nothing: dict[str, Any] = {"jobs": [], "growth": [], "tokens_ending": []}
        return {**nothing, "schema": None, "database": None, "retention": None, "problems": [said]}
    late = overdue(store.states, now)
    shared = [token for token in store.ending if token["owner"] is None]
    return {
        "schema": store.has,
        "database": {"kind": store.kind, "bytes": store.size},
        "jobs": [_job(state, now, is_overdue=state.name in late) for state in store.states],
        "growth": [{**asdict(each), "day": str(each.day)} for each in store.days],
        "retention": retention(store.states),
        "tokens_ending": [
            {name: token[name] for name in ("name", "owner", "expires")}
            for token in store.ending
            if seen.shows_shared or token["owner"]
        ],
        "problems": [
            *(f"{name} is overdue: nobody runs the schedules" for name in late),
            *(
                f"{state.name} failed: exit code {state.run['exit_code']}"
                for state in store.states
                if state.run and state.run.get("exit_code")
            ),
            *(
                [f"the store has schema {store.has or 'none'}, not {store.should}"]
                if store.has != store.should
                else []
            ),
            *([f"shared tokens that end within a week: {len(shared)}"] if shared else []),
        ],
    }


def _of_machine(seen: Seen) -> list[str]:
    found = [
        f"the disk of {', '.join(disk.holds)} is full but for {disk.free_bytes >> 20} MiB"
        for disk in seen.disks
        if disk.free_bytes < LEAST_FREE_BYTES
    ]
    ends = seen.certificate_ends
    if ends and ends - seen.now <= CERTIFICATE_RENEWED_BY:
        word = "ended" if ends <= seen.now else "ends"
        found.append(f"the certificate {word} {ends:%Y-%m-%d}")
    return found


def retention(states: Sequence[JobState]) -> dict[str, Any] | None:
    """What prune's last report found, and what it deletes next; None before it made one."""
    [run] = [state.run for state in states if state.name == "prune"] or [None]
    result = run.get("result") if run else None
    if not run or not isinstance(result, dict):
        return None
    given = cast("dict[str, Any]", result)
    only_reports = given.get("dry_run") is True
    # What a report counts as deleted would have been; what was deleted is no more.
    stale = sum(given["deleted"].values()) if only_reports else given.get("waiting", 0)
    # An earlier version's report says nothing of what comes.
    coming: dict[str, Any] = given.get("coming") or {}
    return {
        "reported": _time(datetime.fromisoformat(run["started"])),
        "deletes": not only_reports,
        "stale": stale,
        "next": coming.get("at"),
        "counts": {kind: number for kind, number in coming.get("counts", {}).items() if number},
        "stop": _STOP,
    }


def _job(state: JobState, now: datetime, *, is_overdue: bool) -> dict[str, Any]:
    run = state.run or {}
    return {
        "name": state.name,
        "schedule": state.cron,
        "next": _time(state.next(now)),
        "overdue": is_overdue,
        "running_since": _time(state.running) if state.running else None,
        "last": run.get("started"),
        "last_success": run.get("last_success"),
        "seconds": run.get("seconds"),
        "exit_code": run.get("exit_code"),
        "counts": dict(metrics.rows_of(run.get("result"))),
    }


def _time(when: datetime) -> str:
    return f"{when.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
