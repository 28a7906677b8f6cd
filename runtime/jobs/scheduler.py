"""`trackstack scheduler`: runs gc, prune and backup on their schedules, one at a time.

A loop that sleeps until the next job is due and runs it to its end: jobs cannot overlap, and runs
that were missed meanwhile coalesce into one. Each job is a child process that ends, so that this
one, which stays, keeps nothing of MLflow in memory.
"""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType

import click

from runtime import cron
from runtime import settings as runtime_settings
from runtime.errors import ALARM, UserError
from runtime.jobs import notes
from runtime.jobs.schedules import SCHEDULES, schedules
from runtime.oci import monitoring as oci_metrics
from runtime.process import die_with_parent, trackstack
from runtime.settings import RuntimeSettings, variable

_RETRY_SECONDS = (10, 60)
_STOP_SECONDS = 20
# A loop that wakes up now and then notices a clock that was set or a machine that slept.
_LONGEST_SLEEP = 30


@dataclass(frozen=True)
class LastRun:
    """How a job's last run went; times are UTC in ISO 8601."""

    started: str
    seconds: float
    exit_code: int
    attempts: int
    last_success: str | None
    result: object = None


def state_file(data_dir: Path) -> Path:
    """Where the last runs are kept, by job."""
    return data_dir / "state" / "jobs.json"


def read_state(data_dir: Path) -> dict[str, LastRun]:
    """The last runs; empty before the first one."""
    try:
        jobs = json.loads(state_file(data_dir).read_text())
    except (OSError, ValueError):
        return {}
    return {name: LastRun(**run) for name, run in jobs.items()}


def _write_state(data_dir: Path, state: Mapping[str, LastRun]) -> None:
    path = state_file(data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({name: asdict(run) for name, run in state.items()}, indent=1))
    beside.replace(path)


def arguments_of(name: str, settings: RuntimeSettings) -> list[str]:
    """What a job is started with, whatever starts it.

    Here alone prune becomes a report where the settings do not say that it may delete.
    """
    if name == "prune":
        deletes = settings.prune_action == "delete"
        return [name, "--scheduled", "--yes" if deletes else "--dry-run", "--json"]
    if name == "drill":
        return ["backup", name, "--json"]
    return [name, "--json"]


def next_job(times: Mapping[str, datetime]) -> tuple[str, datetime]:
    """The job that is due first; of several the one named first."""
    return min(times.items(), key=lambda item: item[1])


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _say(text: str) -> None:
    print(f"{_now():%Y-%m-%dT%H:%M:%SZ} {text}", flush=True)


class Stopped(Exception):  # noqa: N818 - a request, no error
    """SIGTERM or Ctrl-C."""


class Job:
    """Runs `trackstack <arguments>` and tells its output line by line, after the job's name."""

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        self._name, self._arguments = name, arguments
        self._child: subprocess.Popen[str] | None = None

    def run(self) -> tuple[int, object]:
        """The exit code, and the last line of stdout where it is JSON."""
        command = [trackstack(), *self._arguments]
        self._child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=die_with_parent,
        )
        result: object = None
        assert self._child.stdout  # noqa: S101 - it was asked for
        for line in self._child.stdout:
            _say(f"{self._name}: {line.rstrip()}")
            try:
                result = json.loads(line)
            except ValueError:
                continue
        return self._child.wait(), result

    def stop(self) -> None:
        """End the child, which leaves its work as a crash would: the next run goes on with it."""
        if self._child is None or self._child.poll() is not None:
            return
        self._child.terminate()
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()


def run_job(
    name: str,
    before: LastRun | None,
    run: Callable[[], tuple[int, object]],
    sleep: Callable[[float], None] = time.sleep,
) -> LastRun:
    """Run a job, again after a while where it fails; returns how it went in the end.

    Not again after an alarm: the work is done, and done again would tell nothing of it.
    """
    started, clock = _now(), time.monotonic()
    code, result = run()
    attempts = 1
    for pause in _RETRY_SECONDS:
        if code in (0, ALARM):
            break
        _say(f"{name}: exit code {code}; tried again in {pause} s")
        sleep(pause)
        code, result = run()
        attempts += 1
    done = LastRun(
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 1),
        exit_code=code,
        attempts=attempts,
        last_success=before.last_success if before else None,
        result=result,
    )
    ended = f"done in {done.seconds} s" if code == 0 else f"job failed after {attempts} attempts"
    _say(f"{name}: {ended}, exit code {code}")
    if runtime_settings.load().oci_metrics and (reason := oci_metrics.tell(name, code)):
        _say(f"{name}: OCI Monitoring was not told: {reason}")
    return replace(done, last_success=_now().isoformat(timespec="seconds")) if code == 0 else done


def _wait_until(moment: datetime) -> None:
    while (left := (moment - _now()).total_seconds()) > 0:
        time.sleep(min(left, _LONGEST_SLEEP))


def _loop(settings: RuntimeSettings) -> None:
    crons = schedules(settings)
    times = {name: cron.next_time(expression, _now()) for name, expression in crons.items()}
    for name, moment in times.items():
        _say(f"{name}: {crons[name]}, next at {moment:%Y-%m-%d %H:%M} UTC")
    if not times:
        _say("scheduler: nothing is scheduled")
        while True:
            time.sleep(_LONGEST_SLEEP)
    if "prune" in times and settings.prune_action != "delete":
        _say("prune: only reports; TRACKSTACK_PRUNE_ACTION=delete lets it delete")
    _note(schedule=crons)
    state = read_state(settings.data_dir)
    while True:
        name, moment = next_job(times)
        _wait_until(moment)
        _run_and_note(name, settings, state)
        times[name] = cron.next_time(crons[name], _now())


def _run_and_note(name: str, settings: RuntimeSettings, state: dict[str, LastRun]) -> LastRun:
    """Run a job, to our own end at most; note in ``state`` and its file how that went."""
    job = Job(name, arguments_of(name, settings))
    told = {"job": name, "cron": schedules(settings).get(name)}
    if told["cron"]:
        _note(**told)
    try:
        state[name] = run_job(name, state.get(name), job.run)
    except Stopped:
        job.stop()
        raise
    _write_state(settings.data_dir, state)
    if told["cron"]:
        _note(**told, run=asdict(state[name]))
    return state[name]


def _note(**said: object) -> None:
    """Tell the store, where every replica finds it; a store that is away stops no job."""
    if reason := notes.tell(**said):
        _say(f"scheduler: the store was not told: {reason}")


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped


@click.command()
@click.option(
    "--once",
    type=click.Choice(list(SCHEDULES)),
    help="Run this job now and end: for a platform that has schedules of its own.",
)
@click.option(
    "--elect",
    is_flag=True,
    help="With --once: only where no other replica came first for the time at which it was due.",
)
def command(once: str | None, elect: bool) -> int:
    """Run gc, prune and backup on their schedules, one at a time, until SIGTERM or Ctrl-C.

    Schedules are five-field cron in UTC: TRACKSTACK_GC_SCHEDULE (*/10 * * * *),
    TRACKSTACK_PRUNE_SCHEDULE (0 0 * * *), TRACKSTACK_BACKUP_SCHEDULE (never) and
    TRACKSTACK_BACKUP_DRILL_SCHEDULE (never), which both need TRACKSTACK_BACKUP_DESTINATION; never
    runs a job at no time. The drill restores the newest backup into a scratch place. prune only
    counts what is stale, unless TRACKSTACK_PRUNE_ACTION=delete lets it delete what stood in every
    report for TRACKSTACK_PRUNE_NOTICE (7d). A job that fails is tried again twice.
    How the last runs went is in state/jobs.json under the data directory; `trackstack doctor` shows
    it. With --once, exits as the job did.

    \b
    Examples:
      TRACKSTACK_GC_SCHEDULE="0 * * * *" trackstack scheduler
      trackstack scheduler --once gc
      trackstack scheduler --once gc --elect
    """
    settings = runtime_settings.load()
    if elect and not once:
        raise UserError("--elect needs --once", 2)
    needing = {"backup", "drill"} & schedules(settings).keys()
    if needing and not settings.backup_destination:
        needs = variable(SCHEDULES[min(needing)])
        raise UserError(f"{needs} needs {variable('backup_destination')}", 2)
    if settings.supervised:
        die_with_parent()
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        if once and elect and not _is_elected(once, settings):
            _say(f"{once}: another replica runs it")
            return 0
        if once:
            return _run_once(once, settings)
        _loop(settings)
    except Stopped:
        _say("scheduler: stopped")
    return 0


def _is_elected(name: str, settings: RuntimeSettings) -> bool:
    from runtime.database.engine import open_briefly
    from runtime.jobs.lease import acquire

    crons = schedules(settings)
    if name not in crons:
        raise UserError(f"{name} has no schedule; see {variable(SCHEDULES[name])}", 2)
    now = _now()
    return acquire(open_briefly(settings), name, cron.last_time(crons[name], now), now)


def _run_once(name: str, settings: RuntimeSettings) -> int:
    return _run_and_note(name, settings, read_state(settings.data_dir)).exit_code
