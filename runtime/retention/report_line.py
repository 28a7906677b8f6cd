"""One line of the report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One entity of the report; ``bytes`` is None where its size is not known."""

    kind: str
    name: str
    id: str
    experiment: str
    age_days: int
    bytes: int | None


def human_bytes(size: int | None) -> str:
    """Such as ``1.5 MiB``; ``?`` where it is not known."""
    if size is None:
        return "?"
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.0f} B" if units[0] == "B" else f"{value:.1f} {units[0]}"
