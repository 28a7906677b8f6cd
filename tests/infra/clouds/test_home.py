"""A stack that is up stays where it is, whoever runs the engine."""

import pytest

from infra.clouds.shared.home import moves
from tests.infra.recording import deploy_azure, deploy_oci
from tests.infra.stack_files import AZURE, OCI

_HOME = {"region": "westeurope", "name": "a"}


@pytest.mark.parametrize(
    ("was", "now", "keys"),
    [
        ({}, _HOME, set[str]()),
        (_HOME, _HOME, set[str]()),
        (_HOME | {"__provider": "x"}, _HOME | {"__provider": "y"}, set[str]()),
        (_HOME, _HOME | {"tenancyId": "new in a later version"}, set[str]()),
        (_HOME, _HOME | {"region": "northeurope"}, {"region"}),
        (_HOME, {"name": "b"}, {"region", "name"}),
    ],
)
def test_only_what_was_noted_is_held_to(
    was: dict[str, str], now: dict[str, str], keys: set[str]
) -> None:
    found = moves(was, now)
    assert found.keys() == keys
    for key, said in found.items():
        assert said.startswith(f"trackstack:{key}: ")
        assert f"allowed: {was[key]}. " in said


def test_the_home_of_a_stack_on_azure() -> None:
    _, made = deploy_azure({**AZURE, "name": "team"})
    [home] = made.of("StackHome")
    assert (home["region"], home["name"]) == ("westeurope", "team")
    assert home["subscriptionId"] == AZURE["subscriptionId"]
    assert home["resourceGroup"]


def test_the_home_of_a_stack_on_oci() -> None:
    _, made = deploy_oci(OCI)
    [home] = made.of("StackHome")
    assert {key: home[key] for key in ("tenancyId", "compartmentId", "region")} == {
        key: OCI[key] for key in ("tenancyId", "compartmentId", "region")
    }
    assert home["name"] == "trackstack-oci-test"
