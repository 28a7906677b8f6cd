"""An estimate of what a stack costs a month, from a small dated table of list prices."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

_TABLE = Path(__file__).with_name("prices.yaml")
# Operations of a preview on what is there before it, and on what is there after it.
_THERE_BEFORE = frozenset({"same", "update", "replace", "create-replacement", "delete"})
_THERE_AFTER = frozenset({"same", "update", "replace", "create-replacement", "create", "import"})


@dataclass(frozen=True)
class Change:
    """What a stack costs a month before and after an update, in dollars of the day ``date``.

    ``lines`` say of what the cost afterwards is made, and what has no price in the table.
    """

    before: float
    after: float
    date: str
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"about {self.after:.0f} USD a month, {self.after - self.before:+.0f} "
            f"(list prices of {self.date})"
        )


def foresee(events: Iterable[str]) -> Change:
    """The change that a preview foresees; ``events`` are the lines of the engine's event log."""
    before: dict[str, Mapping[str, Any]] = {}
    after: dict[str, Mapping[str, Any]] = {}
    for event in map(json.loads, events):
        step = event.get("resourcePreEvent", {}).get("metadata")
        if not step:
            continue
        for operations, state, found in (
            (_THERE_BEFORE, "old", before),
            (_THERE_AFTER, "new", after),
        ):
            if step["op"] in operations and step.get(state):
                found[step["urn"]] = step[state]
    now, then = estimate(before.values()), estimate(after.values())
    return Change(now["dollars"], then["dollars"], then["date"], tuple(lines(then)))


def estimate(resources: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """``dollars`` a month in all, by type and by resource, with the table's date and sources.

    ``unpriced`` are sizes that the table does not know, by resource: their price is in no sum.
    ``resources`` as the engine's state has them: ``urn``, ``type`` and ``inputs``.
    """
    table = cast("dict[str, Any]", yaml.safe_load(_TABLE.read_text()))
    by_type: dict[str, float] = {}
    by_name: dict[str, float] = {}
    unpriced: dict[str, str] = {}
    for resource in resources:
        kind = str(resource["type"])
        if kind in table["month"]:
            inputs: Any = resource.get("inputs") or {}
            rule: dict[str, Any] = table["month"][kind]
            name = str(resource["urn"]).rpartition("::")[2]
            by_name[name] = round(_price(rule, inputs), 2)
            by_type[kind] = round(by_type.get(kind, 0) + by_name[name], 2)
            if unknown := _unknown(rule, inputs):
                unpriced[name] = ", ".join(unknown)
    return {
        "dollars": round(sum(by_type.values()), 2),
        "by_type": by_type,
        "by_name": by_name,
        "unpriced": unpriced,
        "date": str(table["date"]),
        "sources": table["sources"],
    }


def lines(estimated: Mapping[str, Any]) -> list[str]:
    """An estimate, a line for each resource that costs something or has no price. Pure."""
    unpriced: dict[str, str] = estimated["unpriced"]
    costs: dict[str, float] = estimated["by_name"]
    return [
        f"{name:24} {dollars:8.2f}"
        + (f", without {unpriced[name]}, which has no price here" if name in unpriced else "")
        for name, dollars in sorted(costs.items(), key=lambda item: -item[1])
        if dollars or name in unpriced
    ]


def _unknown(rule: dict[str, Any], inputs: Any) -> list[str]:
    """The sizes in ``inputs`` that the table has no price of."""
    return [
        str(value)
        for path, prices in rule.get("of", {}).items()
        for value in _values(inputs, path)
        if value not in prices
    ]


def _price(rule: dict[str, Any], inputs: Any) -> float:
    cost = float(rule.get("each", 0))
    for path, dollars in rule.get("per", {}).items():
        cost += dollars * sum(float(value) for value in _values(inputs, path))
    for path, prices in rule.get("of", {}).items():
        cost += sum(prices.get(value, 0) for value in _values(inputs, path))
    for path, factors in rule.get("times", {}).items():
        for value in _values(inputs, path):
            cost *= float(factors.get(value, 1) if factors else value)
    return cost


def _values(inputs: Any, path: str) -> Iterator[Any]:
    """All values at a dotted path; ``[]`` after a name goes through a list."""
    name, _, rest = path.partition(".")
    known = cast("dict[str, Any]", inputs) if isinstance(inputs, dict) else {}
    found = known.get(name.removesuffix("[]"))
    for value in cast("list[Any]", found or []) if name.endswith("[]") else [found]:
        if rest:
            yield from _values(value, rest)
        elif value is not None:
            yield value
