"""What keeps data: room on the disks, and how old the newest backup is."""

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from runtime.access.status.margins import LEAST_FREE_BYTES
from runtime.backup.format import manifest
from runtime.backup.make import destination
from runtime.doctor import cures
from runtime.doctor.finding import Finding
from runtime.jobs.runs import GRACE, JobState
from runtime.paths import local_directory
from runtime.settings import RuntimeSettings


def room(check: str, path: Path, free: int) -> Finding:
    """What to say of so many free bytes on the disk of a folder. Pure."""
    found = f"{path}, {free / (1 << 30):.1f} GiB free"
    advice = "" if free >= LEAST_FREE_BYTES else "free some space, or make the disk larger"
    return Finding(check, not advice, found, advice)


def disks(settings: RuntimeSettings) -> list[Finding]:
    """The disks of artifacts and backups, where they are others than the data directory's."""
    # Where a folder is not there yet, another check tells so.
    seen, found = {None, _device(settings.data_dir)}, list[Finding]()
    for uri in (settings.artifacts_destination, settings.backup_destination):
        path = local_directory(uri) if uri else None
        if path is None or (device := _device(path)) in seen:
            continue
        seen.add(device)
        found.append(room("disk", path, shutil.disk_usage(path).free))
    return found


def _device(path: Path) -> int | None:
    try:
        return path.stat().st_dev
    except OSError:
        return None


def backups(settings: RuntimeSettings, states: Sequence[JobState], now: datetime) -> list[Finding]:
    """How old the newest whole backup is, by the place itself; nothing where none is scheduled."""
    scheduled = [state for state in states if state.name == "backup"]
    if not scheduled or not settings.backup_destination:
        return []
    try:
        names = manifest.complete(destination(settings, None))
    except Exception as error:
        said = f"{settings.backup_destination} cannot be read: {type(error).__name__}: {error}"
        advice = f"see the rights on it, and {cures.logs(settings)}"
        return [Finding("backup", False, said.splitlines()[0][:300], advice)]
    newest = manifest.time_of(names[-1]) if names else None
    return [aged(settings, settings.backup_destination, newest, scheduled[0], now)]


def aged(
    settings: RuntimeSettings, place: str, newest: datetime | None, state: JobState, now: datetime
) -> Finding:
    """What to say of the newest backup by its schedule: one may have been missed. Pure."""
    due = state.due(now - GRACE)
    # The second last time that one was due.
    wanted = state.due(due - (state.next(due) - due))
    told = f"the newest of {newest:%Y-%m-%d %H:%M} UTC" if newest else "none yet"
    if max(newest or state.since, state.since) >= wanted:
        return Finding("backup", True, f"{place}, {told}")
    advice = f"make one: {cures.run(settings, 'backup')}; then see {cures.logs(settings)}"
    return Finding("backup", False, f"{place}, {told}", advice)
