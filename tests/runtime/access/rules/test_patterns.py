"""Patterns that a worker can afford."""

import re
import time

import pytest

from runtime.access.rules.patterns import is_affordable, matches


@pytest.mark.parametrize(
    "pattern",
    [
        "^mlflow-artifacts:/1/traces/tr-([a-f0-9]+)+!$",
        "(a|a)*b",
        "(a*)*b",
        "((a?){20}){20}b",
        "(.*,){12}x",
        r"(.+)\1+b",
        "(?:(?:a+)|b)+c",
        ".*.*.*.*x",
        "^" + "a?" * 40 + "a" * 40,
        "(?=(a+)+b)a",
        "(" * 3000 + ")" * 3000,
    ],
)
def test_what_may_take_long_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="may take long"):
        matches(pattern, "a" * 8000)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^prod-[0-9]+$", "prod-17", True),
        ("fraud|churn", "a churn model", True),
        ("(?i)^a.*b.*c$", "AxxBxxC", True),
        (r"v\d{1,3}\.\d+", "v12.4", True),
        ("colou?r", "colour", True),
        ("^x", "yx", False),
        ("(", "anything", False),
    ],
)
def test_the_others_say_what_mlflow_says(pattern: str, text: str, found: bool) -> None:
    assert matches(pattern, text) is found


def test_nothing_matches_what_is_not_there() -> None:
    assert not matches("a", None)
    assert not matches(None, "a")


@pytest.mark.parametrize("pattern", ["^a.*b.*c", ".*b", "[a-z]+,[a-z]+;", "a?a?a?a?aaaa!"])
def test_what_is_affordable_ends_soon(pattern: str) -> None:
    """At the longest text that is still affordable, which holds nothing of it."""
    length = max(n for n in (10, 100, 300, 1000, 5000) if is_affordable(pattern, n))
    began = time.monotonic()
    assert re.search(pattern, "a" * length) is None
    assert time.monotonic() - began < 20
