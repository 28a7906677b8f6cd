"""What a model version must fulfil to be promoted: decided from facts alone."""

import json
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runtime.errors import UserError

APPROVAL_TAG = "trackstack.approval"
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_METRIC = re.compile(r"\s*(?P<name>[^<>=]+?)\s*(?P<operator>>=|<=|==|>|<)\s*(?P<bound>\S+)\s*")


@dataclass(frozen=True)
class Facts:
    """What is known of a version: its logged model's and its run's metrics, and its tags."""

    metrics: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Verdict:
    """One gate: what it asks for, whether it is fulfilled, and what was found."""

    gate: str
    passed: bool
    found: str


@dataclass(frozen=True)
class Metric:
    """A bound on a metric's last value; no value and NaN fulfil none."""

    name: str
    comparison: str
    bound: float

    def judge(self, facts: Facts) -> Verdict:
        value = facts.metrics.get(self.name, math.nan)
        found = "no such metric" if self.name not in facts.metrics else str(value)
        passed = _COMPARE[self.comparison](value, self.bound)
        return Verdict(f"metric {self.name} {self.comparison} {self.bound:g}", passed, found)


@dataclass(frozen=True)
class Tag:
    """A tag of the version that must have this value."""

    key: str
    value: str

    def judge(self, facts: Facts) -> Verdict:
        found = facts.tags.get(self.key)
        return Verdict(f"tag {self.key} is {self.value}", found == self.value, found or "no tag")


@dataclass(frozen=True)
class Approval:
    """The word of a person or of a pipeline: `trackstack promote approve`."""

    def judge(self, facts: Facts) -> Verdict:
        told = read_approval(facts.tags)
        undecided = "nobody has decided yet; decide by trackstack promote approve"
        found = f"{told.verdict} by {told.by} at {told.at}" if told else undecided
        return Verdict("approval", bool(told) and told.verdict == "approved", found)


Gate = Metric | Tag | Approval


@dataclass(frozen=True)
class Decision:
    """What was decided on a version, by whom, and when (ISO 8601, UTC)."""

    verdict: str
    by: str
    at: str
    comment: str = ""

    def as_tag(self) -> str:
        return json.dumps(self.__dict__)


def read_approval(tags: Mapping[str, str]) -> Decision | None:
    """The decision in a version's tags; None where there is none that can be read."""
    try:
        return Decision(**json.loads(tags[APPROVAL_TAG]))
    except (KeyError, TypeError, ValueError):
        return None


def parse_metric(text: str) -> Metric:
    """``auc>=0.9``; raises UserError (exit code 2) where it says something else."""
    match = _METRIC.fullmatch(text)
    try:
        if not match:
            raise ValueError
        return Metric(match["name"], match["operator"], float(match["bound"]))
    except ValueError:
        raise UserError(f"--require-metric {text!r}: write it as 'auc>=0.9'", 2) from None


def parse_tag(text: str) -> Tag:
    """``key=value``; raises UserError (exit code 2) where it says something else."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise UserError(f"--require-tag {text!r}: write it as 'validation=passed'", 2)
    return Tag(key, value)


def decide(facts: Facts, gates: Sequence[Gate]) -> list[Verdict]:
    """Judge every gate, so that a person sees at once all that is missing."""
    return [gate.judge(facts) for gate in gates]
