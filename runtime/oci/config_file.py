"""Why the file of OCI's command line cannot be used: absent, unreadable, or mounted elsewhere.

The SDK says of all three that it could not find it. In a container it is a mount: of another place
than the published one, and for its owner's eyes alone.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_FOLDER = ".oci"
_MOUNTS = Path("/proc/self/mountinfo")
_AS_OWNER = '--user "$(id -u):$(id -g)"'


def problem(file: Path) -> str | None:
    """What is wrong with the file, and what to do; None where it can be read."""
    return said(file, _error(file), mounted(_mount_points()))


def said(file: Path, error: OSError | None, elsewhere: Iterable[str]) -> str | None:
    """As ``problem``, where reading it raised ``error``, and folders of its name are mounted at
    ``elsewhere``. Pure.
    """
    if error is None:
        return None
    others = [place for place in elsewhere if place != str(file.parent)]
    if isinstance(error, PermissionError):
        return (
            f"{file} is there and cannot be read by user {os.geteuid()}: its owner alone may. In a "
            f"container start as the owner ({_AS_OWNER})"
        )
    if others:
        return (
            f"there is no {file}, and {others[0]} is mounted, where only its owner looks: mount it "
            f"with -v ~/{_FOLDER}:{file.parent}:ro {_AS_OWNER}"
        )
    return (
        f"there is no {file}: in a container mount it with -v ~/{_FOLDER}:{file.parent}:ro "
        f"{_AS_OWNER}, elsewhere make it with `oci setup config`, or set OCI_CONFIG_FILE"
    )


def key_problem(found: Mapping[str, str]) -> str | None:
    """The same of the key that a profile names: on the host it may lie elsewhere."""
    named = found.get("key_file")
    if not named or found.get("key_content"):
        return None
    error = _error(Path(named).expanduser())
    if isinstance(error, PermissionError):
        return f"key_file={named} cannot be read by user {os.geteuid()}: its owner alone may"
    if error:
        return (
            f"key_file={named} is not there: in a container the profile must name it as it is "
            f"there, such as key_file=~/{_FOLDER}/{Path(named).name}"
        )
    return None


def mounted(mount_points: Iterable[str]) -> list[str]:
    """Those of the mount points that are folders of OCI's command line. Pure."""
    return [place for place in mount_points if place.endswith(f"/{_FOLDER}")]


def _mount_points() -> list[str]:
    try:
        # The fifth field; proc_pid_mountinfo(5).
        return [line.split()[4] for line in _MOUNTS.read_text().splitlines()]
    except OSError:
        return []


def _error(file: Path) -> OSError | None:
    try:
        with file.open("rb"):
            return None
    except OSError as error:
        return error
