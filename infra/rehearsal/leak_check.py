"""What a rehearsal leaves behind on this machine: snapshots before and after, compared."""

from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.rehearsal.system import daemon

# Kind of what the daemon keeps -> how its list is asked for.
_KINDS = {
    "container": ("--all", "--format", "{{.Names}}"),
    "network": ("--format", "{{.Name}}"),
    "volume": ("--format", "{{.Name}}"),
    "image": ("--format", "{{.Repository}}:{{.Tag}}"),
}


@dataclass(frozen=True)
class Snapshot:
    """Names on the Docker daemon by kind, and the processes that work under a folder."""

    names: frozenset[tuple[str, str]]
    processes: frozenset[str]

    @classmethod
    def take(cls, folder: Path, *, on_docker: bool) -> "Snapshot":
        names: set[tuple[str, str]] = set()
        if on_docker:
            for kind, flags in _KINDS.items():
                listed = daemon.docker(kind, "ls", *flags).split()
                names |= {(kind, name) for name in listed}
        return cls(frozenset(names), frozenset(_processes(folder / "data")))

    def leaks(self, before: "Snapshot", prefix: str) -> list[str]:
        """What this stack has added to the machine since ``before``."""
        new = {f"{kind} {name}" for kind, name in self.names - before.names if prefix in name}
        return sorted(new | self.processes)


def _processes(folder: Path) -> list[str]:
    found: list[str] = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join(process.cmdline()):
                found.append(f"process {process.pid} {process.name()}")
        except psutil.Error:
            continue
    return found


def remove_volumes(left: list[str]) -> list[str]:
    """Remove the volumes that a stack keeps with its data; returns the rest of ``left``."""
    for entry in left:
        if entry.startswith("volume "):
            daemon.docker("volume", "rm", entry.split()[1], check=False)
    return [entry for entry in left if not entry.startswith("volume ")]
