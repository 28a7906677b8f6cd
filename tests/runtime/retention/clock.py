"""A wall clock that a test sets, for whole processes: what they start has it, too."""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from infra.rehearsal.system.packages import ensure_debian

_SOURCE = Path(__file__).with_name("clock.c")
_SECOND = 10**9
_DAY = 24 * 60 * 60 * _SECOND


class Clock:
    """The clock of all processes with its ``environment``, in days from now; may go back."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._library = file.with_suffix(".so")
        if not file.exists():
            self.set(0)

    def build(self) -> Mapping[str, str]:
        """What a process needs in its environment."""
        compiler = ensure_debian("gcc", "gcc", "libc6-dev")
        made = ["-shared", "-fPIC", "-O2", "-o", str(self._library), str(_SOURCE), "-ldl"]
        subprocess.run([compiler, *made], check=True, timeout=60)
        return {"LD_PRELOAD": str(self._library), "TEST_CLOCK": str(self._file)}

    def set(self, days: float) -> None:
        """Set it at once, for all of them."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(int(days * _DAY).to_bytes(8, "little", signed=True))

    @property
    def days(self) -> float:
        return self._offset() / _DAY

    def milliseconds(self) -> int:
        """What it shows, since 1970; for a process that has the true time."""
        return (time.time_ns() + self._offset()) // 10**6

    def _offset(self) -> int:
        return int.from_bytes(self._file.read_bytes(), "little", signed=True)
