"""One check of `trackstack doctor`, and what came of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, how it is, and what to do where it is not well."""

    check: str
    well: bool
    found: str
    advice: str = ""
