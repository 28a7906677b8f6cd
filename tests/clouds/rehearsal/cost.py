"""An estimate of what a stack costs a month, from a small dated table of list prices."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import yaml

_TABLE = Path(__file__).with_name("prices.yaml")


def estimate(types: Iterable[str]) -> dict[str, Any]:
    """``dollars`` a month in all and by type, with the table's date and sources."""
    table = cast("dict[str, Any]", yaml.safe_load(_TABLE.read_text()))
    prices = cast("dict[str, float]", table["month"])
    counted = Counter(type_ for type_ in types if type_ in prices)
    by_type = {type_: round(prices[type_] * count, 2) for type_, count in counted.items()}
    return {
        "dollars": round(sum(by_type.values()), 2),
        "by_type": by_type,
        "date": str(table["date"]),
        "sources": table["sources"],
    }
