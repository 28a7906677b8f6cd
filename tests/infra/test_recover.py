"""From what `make recover` may fill a stack, decided from its stack file and outputs."""

from typing import Any

import pytest

from infra.recover import decide
from runtime.errors import UserError


def _config(**keys: str) -> dict[str, Any]:
    return {f"trackstack:{key}": {"value": value, "secret": False} for key, value in keys.items()}


def test_the_store_that_is_filled_is_the_stack_s_own() -> None:
    given = decide("a", _config(cloud="local", dataDir="/d", artifactsDestination="/a"), {})
    assert given == {"TRACKSTACK_DATA_DIR": "/d", "MLFLOW_ARTIFACTS_DESTINATION": "/a"}
    assert decide("a", {}, {})["TRACKSTACK_DATA_DIR"].endswith("/.trackstack/data/a")


@pytest.mark.parametrize(
    ("config", "outputs", "said"),
    [
        ({}, {"tracking_uri": "http://t"}, "make down STACK=a"),
        (_config(cloud="azure"), {}, "trackstack restore"),
        (_config(compute="container"), {}, "trackstack restore"),
        ({"trackstack:backendStoreUri": {"secret": True}}, {}, "database of its own"),
    ],
)
def test_what_cannot_be_filled_from_here_is_told_with_what_to_do(
    config: dict[str, Any], outputs: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        decide("a", config, outputs)
