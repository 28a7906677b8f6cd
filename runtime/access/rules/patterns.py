"""What a regular expression may take of a worker: nothing ends it once Python is at it. Pure."""

import functools
import importlib
import re
import sys
from dataclasses import dataclass
from typing import Any

# Python 3.10 has its parser under another name.
_parser: Any = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
# Steps that one text may take: about a second.
_MOST_STEPS = 50_000_000
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}
# What looks back at what was found, or branches upon it.
_REFERENCES = {"GROUPREF", "GROUPREF_EXISTS"}


@dataclass(frozen=True)
class _Choices:
    """How often a pattern can try otherwise: ``many`` as often as a text is long, ``two`` twice."""

    many: int = 0
    two: int = 0

    def __add__(self, other: "_Choices") -> "_Choices":
        return _Choices(self.many + other.many, self.two + other.two)


class _CostlyError(ValueError):
    """It can take exponential time."""


def is_affordable(pattern: str, length: int) -> bool:
    """Whether a pattern can be looked for in a text of ``length`` characters in about a second.

    Raises re.error where it is no pattern.
    """
    choices = _choices_of(pattern)
    return choices is not None and (
        len(pattern) * (length + 1) ** choices.many * 2**choices.two <= _MOST_STEPS
    )


@functools.lru_cache(maxsize=256)
def _choices_of(pattern: str) -> _Choices | None:
    """Those of a whole pattern; None where there is no telling."""
    try:
        tree = list(_parser.parse(pattern))
        found = _choices(tree, within=False)
    except (_CostlyError, RecursionError, OverflowError):
        return None
    # Else it is tried from each place of the text.
    is_anchored = bool(tree) and str(tree[0][0]) == "AT" and "BEGINNING" in str(tree[0][1])
    return found if is_anchored else found + _Choices(many=1)


def _choices(items: Any, *, within: bool) -> _Choices:
    """``within`` a repeat, where a choice can be made again and again."""
    found = _Choices()
    for operation, value in items:
        name = str(operation)
        if name in _REFERENCES:
            raise _CostlyError
        if name in _REPEATS:
            found += _of_repeat(*value, within=within)
        elif name == "BRANCH":
            if within:
                raise _CostlyError
            branches = [_choices(branch, within=within) for branch in value[1]]
            found += sum(branches, _Choices(two=len(branches) - 1))
        elif name == "SUBPATTERN":
            found += _choices(value[-1], within=within)
        elif name in ("ASSERT", "ASSERT_NOT"):
            found += _choices(value[1], within=within)
        elif name == "ATOMIC_GROUP":
            found += _choices(value, within=within)
    return found


def _of_repeat(least: int, most: int, items: Any, *, within: bool) -> _Choices:
    varies = least != most
    if varies and within:
        raise _CostlyError
    inner = _choices(items, within=within or most > 1)
    if not varies:
        return inner
    return inner + (_Choices(two=1) if most <= 1 else _Choices(many=1))


def matches(pattern: str | None, text: str | None) -> bool:
    """What MLflow's RLIKE says on SQLite; raises ValueError where that may take long."""
    if pattern is None or text is None:
        return False
    try:
        if not is_affordable(pattern, len(text)):
            raise ValueError("a pattern that may take long")
        return re.search(pattern, text) is not None
    except re.error:
        return False
