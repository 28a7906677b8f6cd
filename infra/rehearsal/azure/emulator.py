"""Emulates Azure on this machine: the host, and who may do what on it."""

import threading
from dataclasses import dataclass, field

from infra.rehearsal.azure.entra import Entra
from infra.rehearsal.host.host import Host


@dataclass(frozen=True)
class Emulator:
    """Lives as long as the process that serves the cloud."""

    host: Host
    entra: Entra
    # Of jobs that are scheduled: what stops them, by id; and how each execution ended, by name.
    jobs: dict[str, threading.Event] = field(default_factory=dict[str, threading.Event])
    executions: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    # Contexts of builds that were sent to a registry, by where it has them.
    uploads: dict[str, bytes] = field(default_factory=dict[str, bytes])
