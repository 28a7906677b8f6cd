"""How much a search asks for: its conditions and its orders, each a join for the database. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

# Within quotes, "and" joins nothing. A quote that is not closed is MLflow's to refuse.
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_AND = re.compile(r"\band\b", re.IGNORECASE)
_FILTERS = frozenset({"filter", "filter_string", "filterString"})
_ORDERS = frozenset({"order_by", "orderBy"})


def asked_for(content: Any, *, deep: int = 8) -> int:
    """Conditions and orders of a request's JSON, in whichever of its parts a filter stands."""
    if deep == 0:
        return 0
    if isinstance(content, Mapping):
        fields = cast("Mapping[Any, Any]", content)
        return sum(_of_field(str(name), value, deep) for name, value in fields.items())
    if isinstance(content, list):
        return sum(asked_for(item, deep=deep - 1) for item in cast("list[Any]", content))
    return 0


def of_texts(filters: Iterable[str], orders: Iterable[str]) -> int:
    """The same of a query string's values."""
    return sum(_conditions(text) for text in filters) + sum(1 for _ in orders)


def of_document(document: str) -> int:
    """At most the conditions in a GraphQL document, which may hold a filter as a text."""
    return len(_AND.findall(document))


def _of_field(name: str, value: Any, deep: int) -> int:
    if name in _FILTERS and isinstance(value, str):
        return _conditions(value)
    if name in _ORDERS:
        return len(cast("list[Any]", value)) if isinstance(value, list) else 1
    if name == "query" and isinstance(value, str):
        return of_document(value)
    return asked_for(value, deep=deep - 1)


def _conditions(text: str) -> int:
    return len(_AND.findall(_QUOTED.sub("''", text))) + 1 if text.strip() else 0
