"""How much a search asks for."""

import json
from typing import Any

import pytest

from runtime.access.rules.conditions import Asked, asked_for, may_ask, of_query, refusal


@pytest.mark.parametrize(
    ("content", "asked"),
    [
        (None, 0),
        ([], 0),
        ({"filter": ""}, 0),
        ({"filter": "a = 1"}, 1),
        ({"filter": "a = 1 AND b = 2 and\nc = 3"}, 3),
        ({"filter": "tags.x = 'rock and roll' AND `band and more` = \"and\""}, 2),
        ({"filter_string": "a = 1 AND b = 2", "order_by": ["a", "b DESC"]}, 4),
        ({"order_by": "a"}, 1),
        ({"locations": [{"filter": "a = 1 AND b = 2"}, {"filter": "a = 1"}]}, 3),
        ({"variables": {"data": {"filter": "a = 1 AND b = 2", "orderBy": ["a"]}}}, 3),
        ({"query": 'query { mlflowSearchRuns(input: {filter: "a = 1 AND b = 2"}) { x } }'}, 1),
        ({"query": r'query { x(input: {filter: "a = 1 \u0061ND b = 2 \u{61}nd c = 3"}) }'}, 2),
        ({"variables": {"x": "a = 1 AND b = 2", "y": {"z": ["c = 3 and d = 4"]}}}, 2),
        ({"variables": {"ids": ["1", "2", "3"]}}, 0),
        ({"filter_string1": "a = 1 AND b = 2", "filterString2": "a = 1", "base_filter": "b"}, 4),
        ({"filters": ["a = 1", "b = 2 and c = 3"]}, 3),
        ({"brand": "and and and", "names": ["x and y"]}, 0),
    ],
)
def test_every_condition_and_order_counts(content: Any, asked: int) -> None:
    assert asked_for(content).conditions == asked


def test_a_query_string_counts_too() -> None:
    values = {"filter": ["a = 1 AND b = 2", ""], "order_by": ["a", "b"], "name": ["x and y"]}
    assert of_query(values) == Asked(4, 17)


def test_what_is_too_much_is_said() -> None:
    assert refusal(Asked(100, 200_000), 100) is None
    assert "may have 100 conditions and orders, this one has 101" in (
        refusal(Asked(101), 100) or ""
    )
    assert "200000 characters" in (refusal(Asked(1, 200_001), 100) or "")


def test_what_is_deep_costs_nothing() -> None:
    assert asked_for(json.loads('{"a":' * 500 + "1" + "}" * 500)) == Asked()


@pytest.mark.parametrize("field", ["filter", "order_by", "base_filter", "query", "variables"])
def test_the_length_of_what_is_asked_counts(field: str) -> None:
    assert asked_for({field: ["x" * 1000, "y"], "tags": "z" * 1000}).characters == 1001


@pytest.mark.parametrize(
    ("path", "asks"),
    [
        ("/api/2.0/mlflow/runs/search", True),
        ("/graphql", True),
        ("/ajax-api/2.0/mlflow/traces", True),
        ("/api/3.0/mlflow/traces/calculate-filter-correlation", True),
        ("/api/3.0/mlflow/traces/metrics", True),
        ("/api/3.0/mlflow/mcp-servers", True),
        ("/ajax-api/3.0/mlflow/mcp-servers/a/b/versions", True),
        ("/api/2.0/mlflow/runs/log-batch", False),
    ],
)
def test_where_conditions_may_be(path: str, asks: bool) -> None:
    assert may_ask(path) is asks
