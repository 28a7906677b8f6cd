"""Adverse conditions of a rehearsed cloud: faults, delays, quotas, eventual consistency."""

import threading
import time
from dataclasses import dataclass, field
from typing import Literal

Method = Literal["Create", "Read", "Update", "Delete", "Invoke"]
METHODS: tuple[Method, ...] = ("Create", "Read", "Update", "Delete", "Invoke")
# error: refused before anything is done. lost: done, but the answer never arrives.
# timeout: nothing is done, the call hangs for its time limit. partial: made, but not started.
Kind = Literal["error", "lost", "timeout", "partial"]
KINDS: tuple[Kind, ...] = ("error", "lost", "timeout", "partial")


@dataclass(frozen=True)
class Fault:
    """Fails the ``nth`` call of ``method`` (counted from 1, per fault), and no other.

    ``token`` restricts it to resource types that end in it. ``message`` is what the cloud says.
    """

    method: Method
    kind: Kind = "error"
    nth: int = 1
    token: str = ""
    message: str = "The service is temporarily unavailable. Please try again later."

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """``METHOD:NTH:KIND[:TYPE]``, for example ``Create:3:error``, ``Update:1:lost:Subnet``."""
        parts = text.split(":", 3)
        methods: dict[str, Method] = {method: method for method in METHODS}
        kinds: dict[str, Kind] = {kind: kind for kind in KINDS}
        if len(parts) < 3 or parts[0] not in methods or parts[2] not in kinds:
            raise ValueError(f"fault {text!r}: expected METHOD:NTH:KIND[:TYPE]")
        token = parts[3] if len(parts) == 4 else ""
        return cls(methods[parts[0]], kinds[parts[2]], int(parts[1]), token)


# Seconds before a right is known: enough to be refused where the program does not wait. `make
# rehearse` has it as the services.
RIGHTS_SECONDS = 3
_MARGIN_SECONDS = 2


@dataclass
class _Pending:
    fault: Fault
    seen: int = 0


@dataclass
class Conditions:
    """How a cloud behaves; all of it may be changed while it serves.

    ``latency``: seconds that each Create, Update and Delete takes. ``lag``: seconds before a new
    object is seen by reads and references. ``quotas``: most objects of a type, by its token.
    ``rights``: seconds before a new right is known to the services that ask for it.
    """

    latency: float = 0
    lag: float = 0
    rights: float = 0
    quotas: dict[str, int] = field(default_factory=dict[str, int])
    _faults: list[_Pending] = field(default_factory=list[_Pending])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def known_by(self) -> float:
        """When a right must have been there (Unix time) for services to know it now."""
        return time.time() - self.rights

    @property
    def settled(self) -> str:
        """Seconds after which every service knows a new right."""
        return f"{self.rights + _MARGIN_SECONDS:g}"

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._faults.extend(_Pending(fault) for fault in faults)

    def strike(self, method: str, token: str) -> Fault | None:
        """Count a call; the fault that is due at it, if any."""
        with self._lock:
            for pending in self._faults:
                fault = pending.fault
                if fault.method != method or not token.endswith(fault.token):
                    continue
                pending.seen += 1
                if pending.seen == fault.nth:
                    self._faults.remove(pending)
                    return fault
        return None
