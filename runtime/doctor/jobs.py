"""How the scheduled jobs are: the last one failed, or nobody runs them."""

from collections.abc import Sequence
from datetime import datetime, timezone

from runtime.doctor import cures
from runtime.doctor.finding import Finding
from runtime.jobs import scheduler
from runtime.jobs.runs import JobState, overdue
from runtime.settings import RuntimeSettings


def jobs(settings: RuntimeSettings, states: Sequence[JobState]) -> Finding:
    """By the store, which every replica's scheduler tells; by this machine's file before that."""
    now = datetime.now(timezone.utc)
    return judged(settings, states, now, overdue(states, now)) if states else by_file(settings)


def judged(
    settings: RuntimeSettings, states: Sequence[JobState], now: datetime, late: Sequence[str]
) -> Finding:
    """What to say of jobs, of which some are ``late``. Pure."""
    told = "; ".join(_told(state, now, is_late=state.name in late) for state in states)
    if late:
        advice = f"nobody runs the schedules: {cures.start(settings)}"
        return Finding("jobs", False, told, advice)
    failed = [state.name for state in states if state.run and state.run.get("exit_code")]
    return Finding("jobs", not failed, told, _by_hand(settings, failed))


def _told(state: JobState, now: datetime, *, is_late: bool) -> str:
    if state.running:
        return f"{state.name} runs since {_at(state.running)}"
    run = state.run
    last = (
        f"{state.name} at {run['started']}, exit code {run['exit_code']}"
        if run
        else f"{state.name} never"
    )
    when = f"was due at {_at(state.due(now))}" if is_late else f"next at {_at(state.next(now))}"
    return f"{last}, {when}"


def _at(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


def _by_hand(settings: RuntimeSettings, failed: Sequence[str]) -> str:
    # As the schedule runs it: prune by its own name would delete.
    words = f"scheduler --once {failed[0]}" if failed else ""
    return f"run by hand: {cures.run(settings, words)}" if failed else ""


def by_file(settings: RuntimeSettings) -> Finding:
    """The last runs by this machine's file alone: the store is not at hand."""
    runs = scheduler.read_state(settings.data_dir)
    failed = [name for name, run in runs.items() if run.exit_code]
    told = [f"{name} at {run.started}, exit code {run.exit_code}" for name, run in runs.items()]
    return Finding(
        "jobs", not failed, "; ".join(told) or "none has run yet", _by_hand(settings, failed)
    )
