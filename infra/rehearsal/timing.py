"""What an update created, in which order and how long each took, and its critical path."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from infra.settings import PROJECT

Event = dict[str, Any]
# A build or a database takes minutes, and says nothing meanwhile.
_QUIET_SECONDS = 20


@dataclass(frozen=True)
class Step:
    """One resource: when its operation began and ended, in seconds from the update's start."""

    urn: str
    type: str
    operation: str
    began: float
    ended: float

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[1]

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Events:
    """Follows the engine's event log. Its own times are whole seconds, so they are taken here."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self._path, self._say = path, say
        self._read = 0
        self._began = time.monotonic()
        self._open: dict[str, tuple[str, str, float]] = {}
        self._said = self._began
        self.steps: list[Step] = []

    def follow(self) -> None:
        """Take in what the log has had added since the last call."""
        if not self._path.exists():
            return
        with self._path.open() as log:
            log.seek(self._read)
            while (line := log.readline()).endswith("\n"):
                self._read = log.tell()
                self._take(json.loads(line))
        self._say_what_takes_long()

    def _say_what_takes_long(self) -> None:
        """Where nothing was said for ``_QUIET_SECONDS``: what is under way, and since when."""
        clock = time.monotonic()
        if self._open and clock - self._said >= _QUIET_SECONDS:
            now = clock - self._began
            under_way = (
                f"{urn.rsplit('::', 1)[1]} ({now - began:.0f} s)"
                for urn, (_, _, began) in self._open.items()
            )
            self._tell(f"{now:6.1f} s  waits    for {', '.join(under_way)}")

    def _tell(self, line: str) -> None:
        self._said = time.monotonic()
        self._say(line)

    def _take(self, event: Event) -> None:
        now = time.monotonic() - self._began
        for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
            if kind in event:
                metadata = cast("Event", event[kind]["metadata"])
                urn, type_, operation = metadata["urn"], metadata["type"], metadata["op"]
                # A component's time is that of its resources.
                is_made = not type_.startswith(("pulumi:", f"{PROJECT}:"))
                if not is_made or operation in ("same", "read"):
                    continue
                if kind == "resourcePreEvent":
                    self._open[urn] = (type_, operation, now)
                elif urn in self._open:
                    self._close(urn, now, failed=kind == "resOpFailedEvent")

    def _close(self, urn: str, now: float, *, failed: bool) -> None:
        type_, operation, began = self._open.pop(urn)
        step = Step(urn, type_, f"{operation} failed" if failed else operation, began, now)
        self.steps.append(step)
        self._tell(
            f"{now:6.1f} s  {step.operation:8} {step.name} ({short(type_)}) {step.seconds:.1f} s"
        )


def short(type_: str) -> str:
    """The last part of a type's token."""
    return type_.rsplit(":", 1)[-1]


def dependencies(resources: Mapping[str, dict[str, Any]]) -> dict[str, set[str]]:
    """URN -> the URNs that it had to wait for, from an exported state."""
    found: dict[str, set[str]] = {}
    for resource in resources.values():
        given = cast("list[str]", resource.get("dependencies") or [])
        found[resource["urn"]] = {*given, *([resource["parent"]] if "parent" in resource else [])}
    return found


def critical_path(steps: list[Step], needs: Mapping[str, set[str]]) -> list[Step]:
    """The chain of steps, each needing the one before, that takes longest in all."""
    by_urn = {step.urn: step for step in steps}
    nothing: tuple[float, list[Step]] = (0.0, [])
    best = {"": nothing}

    def longest(urn: str) -> tuple[float, list[Step]]:
        if urn not in best:
            # Components take no time of their own, but what they need is waited for.
            before = [longest(other) for other in needs.get(urn, set()) if other in needs]
            seconds, path = max(before, key=lambda found: found[0], default=nothing)
            step = by_urn.get(urn)
            best[urn] = (seconds + step.seconds, [*path, step]) if step else (seconds, path)
        return best[urn]

    return max((longest(urn) for urn in needs), key=lambda found: found[0], default=nothing)[1]
