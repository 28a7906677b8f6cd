"""Who reaches the server, what it is made of, and who hears that it is down."""

import ipaddress
from typing import Any

import pytest

from infra.clouds.azure.server import shows_log
from tests.infra.clouds.azure.stacks import CONTAINER, SCALE, VM, stack
from tests.infra.recording import COPY, deploy_azure
from tests.infra.stack_files import AZURE

pytestmark = pytest.mark.slow

_ALERTS = {"alertEmail": "ops@example.com"}


def test_jobs_reach_the_app_by_the_address_that_they_have_in_the_environment() -> None:
    """https://learn.microsoft.com/azure/container-apps/custom-virtual-networks; by other addresses
    the ingress says 403, RBAC: access denied.
    """
    [app] = stack(SCALE, {"allowedCidrs": ["203.0.113.0/24"]}).of("app:ContainerApp")
    rules = app["configuration"]["ingress"]["ipSecurityRestrictions"]
    allowed = [ipaddress.ip_network(rule["ipAddressRange"]) for rule in rules]
    seen = ipaddress.ip_address("100.100.0.52")
    assert any(seen in network for network in allowed)
    assert not any(ipaddress.ip_address("100.100.128.1") in network for network in allowed)


@pytest.mark.parametrize("keys", [CONTAINER, SCALE])
def test_the_log_is_that_of_the_stack_s_subscription(keys: dict[str, Any]) -> None:
    """Another may be the default of `az`, and finds no such group."""
    plan, _ = deploy_azure({**AZURE, **keys})
    words = shows_log(plan).split()
    assert words[words.index("--subscription") + 1] == AZURE["subscriptionId"]
    assert words[words.index("-g") + 1] == plan.names.resource_group


@pytest.mark.parametrize("keys", [CONTAINER, SCALE, VM])
def test_the_alert_counts_signs_of_life_of_the_server_alone(keys: dict[str, Any]) -> None:
    """Jobs and the proxy log as well, and a server that nobody asks says nothing else."""
    made = stack(keys, _ALERTS)
    [rule] = [r for r in made.of("ScheduledQueryRule") if r["ruleName"].endswith("server-down")]
    [condition] = rule["criteria"]["allOf"]
    assert 'has "trackstack server is up"' in condition["query"]
    assert (condition["operator"], condition["threshold"]) == ("LessThan", 1)
    written = str([r for _, _, r in made.resources])
    if keys is not VM:
        assert "TRACKSTACK_HEARTBEAT" in written


def test_the_proxy_of_a_group_is_pulled_from_the_stack_s_own_registry() -> None:
    """Docker Hub counts pulls by address, and many share Azure's: Azure/azure-cli#29300."""
    made = stack(CONTAINER)
    [copied] = made.of("trackstack:CopiedImage")
    assert copied["image"].startswith("docker.io/library/caddy:")
    [group] = made.of("containerinstance:ContainerGroup")
    front = next(c for c in group["containers"] if c["name"] == "front")
    assert front["image"] == COPY
    assert stack(SCALE).of("trackstack:CopiedImage") == []


def test_a_registry_that_builds_does_so_on_a_copy_of_the_base() -> None:
    made = stack(SCALE, {"imageBuild": "acr"})
    [copied] = made.of("trackstack:CopiedImage")
    assert copied["image"].startswith("docker.io/library/python:")
    [task] = made.of("containerregistry:TaskRun")
    given = {each["name"]: each["value"] for each in task["runRequest"]["arguments"]}
    assert given["BASE_IMAGE"] == COPY
    assert task["runRequest"]["credentials"] == {"sourceRegistry": {"loginMode": "Default"}}
