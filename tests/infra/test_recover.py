"""From what `make recover` may fill a stack, decided from its stack file and outputs."""

from typing import Any

import pytest

from infra.recover import counts, decide, differences, fills_itself, refuse_data
from runtime.backup.manifest import Manifest, TablePart
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
        ({"trackstack:backendStoreUri": {"secret": True}}, {}, "database of its own"),
    ],
)
def test_what_cannot_be_filled_from_here_is_told_with_what_to_do(
    config: dict[str, Any], outputs: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        decide("a", config, outputs)


def test_only_the_store_of_processes_is_filled_from_here() -> None:
    assert not fills_itself({})
    assert not fills_itself(_config(cloud="local"))
    assert fills_itself(_config(cloud="local", compute="container"))
    assert fills_itself(_config(cloud="azure"))


_METRICS = """# TYPE trackstack_entities gauge
trackstack_entities{kind="experiments",stage="active"} 2.0
trackstack_entities{kind="experiments",stage="deleted"} 1.0
trackstack_entities{kind="runs",stage="active"} 40.0
"""


def _backup(**rows: int) -> Manifest:
    tables = {name: TablePart(name, 1, "", number, "") for name, number in rows.items()}
    return Manifest("b", "", "3", "r", "sqlite", tables, None, 0)


def test_a_server_that_counts_what_the_backup_has_is_recovered() -> None:
    counted = counts(_METRICS)
    assert counted == {
        "experiments": 3,
        "runs": 40,
        "registered_models": 0,
        "model_versions": 0,
    }
    assert differences(counted, _backup(experiments=3, runs=40, registered_models=0)) == []
    told = differences(counted, _backup(experiments=3, runs=41))
    assert told == ["40 runs, the backup has 41"]


def test_a_stack_that_holds_data_is_not_recovered_over() -> None:
    refuse_data({"experiments": 1, "runs": 0}, "a")
    for held in ({"experiments": 2, "runs": 0}, {"experiments": 1, "runs": 1}):
        with pytest.raises(UserError, match="only an empty stack"):
            refuse_data(held, "a")
