"""How much a search asks for."""

import json
from typing import Any

import pytest

from runtime.access.rules.conditions import asked_for, of_texts


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
        ({"brand": "and and and", "filters": ["x and y"]}, 0),
    ],
)
def test_every_condition_and_order_counts(content: Any, asked: int) -> None:
    assert asked_for(content) == asked


def test_a_query_string_counts_too() -> None:
    assert of_texts(["a = 1 AND b = 2", ""], ["a", "b"]) == 4


def test_what_is_deep_costs_nothing() -> None:
    assert asked_for(json.loads('{"a":' * 500 + "1" + "}" * 500)) == 0
