"""How much a search asks for: its conditions and its orders, each a join for the database. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

# Within quotes, "and" joins nothing. A quote that is not closed is MLflow's to refuse.
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_AND = re.compile(r"\band\b", re.IGNORECASE)
_ESCAPED = re.compile(r"\\u\{?([0-9a-fA-F]{1,6})\}?")
_FILTERS = frozenset(
    {"filter", "filter_string", "filterString", "filters"}
    | {"filter_string1", "filterString1", "filter_string2", "filterString2"}
    | {"base_filter", "baseFilter"}
)
_ORDERS = frozenset({"order_by", "orderBy"})
# As many as MLflow's own parser takes of a list of runs; of an order it takes 3 s for them.
_MOST_CHARACTERS = 200_000
# Of GraphQL: a document may hold a filter as a text, and its variables have any names.
_DOCUMENT, _VARIABLES = "query", "variables"
_MCP_SERVERS = "/mlflow/mcp-servers"
# What else than searches takes a filter.
_ASKING = ("/graphql", "/traces", "/traces/metrics", "/traces/calculate-filter-correlation")


@dataclass(frozen=True)
class Asked:
    """What a request asks for."""

    conditions: int = 0
    """Conditions and orders; of what may be none at all, at most as many as are in it."""
    characters: int = 0
    """Of all of them: MLflow reads a long one at a pace that falls with its length."""

    def __add__(self, other: "Asked") -> "Asked":
        return Asked(self.conditions + other.conditions, self.characters + other.characters)


def may_ask(path: str) -> bool:
    """Whether a request to ``path`` may have conditions."""
    return "search" in path or _MCP_SERVERS in path or path.endswith(_ASKING)


def asked_for(content: Any) -> Asked:
    """What a request's JSON asks for, in whichever of its parts a filter stands."""
    return _sum(_found(content, "", 8))


def of_query(values: Mapping[str, Iterable[str]]) -> Asked:
    """The same of a query string's values, by name."""
    filters = [(_conditions(text), text) for name in _FILTERS for text in values.get(name, ())]
    orders = [(1, text) for name in _ORDERS for text in values.get(name, ())]
    return _sum([*filters, *orders])


def refusal(asked: Asked, most: int) -> str | None:
    """Why a search is refused that may have ``most`` conditions and orders; None where not."""
    if asked.characters > _MOST_CHARACTERS:
        return (
            f"the conditions and orders of a search may have {_MOST_CHARACTERS} characters in all"
        )
    if asked.conditions > most:
        return (
            f"a search may have {most} conditions and orders, this one has {asked.conditions}: "
            "ask for less, or set TRACKSTACK_SEARCH_CONDITIONS on the server"
        )
    return None


def _sum(found: Iterable[tuple[int, str]]) -> Asked:
    texts = list(found)
    return Asked(sum(number for number, _ in texts), sum(len(text) for _, text in texts))


def _found(content: Any, name: str, deep: int) -> Iterator[tuple[int, str]]:
    """The texts that may be a filter or an order, each with how much it asks for.

    ``name`` is that of the field in which the content lies.
    """
    if deep == 0:
        return
    if isinstance(content, Mapping):
        for key, value in cast("Mapping[Any, Any]", content).items():
            inner = name if name == _VARIABLES and key not in _FILTERS | _ORDERS else str(key)
            yield from _found(value, inner, deep - 1)
    elif isinstance(content, list):
        for item in cast("list[Any]", content):
            yield from _found(item, name, deep - 1)
    elif isinstance(content, str):
        if name in _FILTERS:
            yield _conditions(content), content
        elif name in _ORDERS:
            yield 1, content
        elif name in (_DOCUMENT, _VARIABLES):
            yield len(_AND.findall(_plain(content))), content


def _plain(text: str) -> str:
    """A text without GraphQL's escapes of letters."""
    return _ESCAPED.sub(lambda escape: chr(min(int(escape[1], 16), 0x10FFFF)), text)


def _conditions(text: str) -> int:
    return len(_AND.findall(_QUOTED.sub("''", text))) + 1 if text.strip() else 0
