"""Whom the rules of the stack's subnets let in, as Azure judges: it lets in all of a network, and
of those that are peered with it, where no rule says otherwise.

https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview
"""

import functools
import ipaddress
from collections.abc import Callable
from typing import Any

import pytest

from infra.rehearsal.azure.network import PROBES, admits
from tests.infra.clouds.azure.stacks import CONTAINER, PRIVATE, SCALE, VM, one, stack
from tests.infra.recording import AzureMade

pytestmark = pytest.mark.slow

_SSH: dict[str, Any] = {"sshCidrs": ["203.0.113.7/32"]}
_KEYS = {"allowedCidrs": ["203.0.113.0/24"]}
_NETWORKED = [SCALE, VM, {**CONTAINER, **PRIVATE}, {**SCALE, **PRIVATE}, {**VM, **PRIVATE}]
_PARTS = ("compute", "database", "endpoints")
_PORTS = (22, 80, 443, 3306, 5432, 8080, 30000, 31443, 32767)
# A machine of somebody else's in the stack's network, and one in a network that is peered with it.
_STRANGERS = ("10.80.200.1", "10.9.0.1")


def _let_in(made: AzureMade) -> Callable[[str, str], list[int]]:
    """The ports of a subnet to which a caller is let."""
    [rules] = made.of("network:NetworkSecurityGroup")
    inside = ["10.80.0.0/16", "10.9.0.0/16"]

    @functools.cache
    def ports(caller: str, part: str) -> list[int]:
        subnet = one(made, ":Subnet", f"{part}-subnet").inputs
        assert subnet["networkSecurityGroup"]["id"].endswith("/rules")
        cidr = subnet["addressPrefix"]
        return [p for p in _PORTS if admits(rules["securityRules"], caller, cidr, p, inside)]

    return ports


def _in(made: AzureMade, part: str) -> str:
    """An address in a subnet."""
    subnet = one(made, ":Subnet", f"{part}-subnet").inputs
    return str(ipaddress.ip_network(subnet["addressPrefix"])[4])


@pytest.mark.parametrize("keys", _NETWORKED)
def test_nobody_in_the_network_is_let_in_but_who_is_named(keys: dict[str, Any]) -> None:
    made = stack(keys, _KEYS)
    let_in = _let_in(made)
    strangers = (*_STRANGERS, "198.51.100.1", _in(made, "endpoints"))
    assert [let_in(who, part) for who in strangers for part in _PARTS] == [[]] * 12


@pytest.mark.parametrize("keys", _NETWORKED)
def test_who_is_named_reaches_the_server_and_nothing_else(keys: dict[str, Any]) -> None:
    """https://learn.microsoft.com/azure/container-apps/firewall-integration has 31443."""
    server = [443, 31443] if keys["compute"] == "scale" else [443]
    let_in = _let_in(stack(keys, _KEYS))
    assert [let_in("203.0.113.1", part) for part in _PARTS] == [server, [], []]
    inside = _let_in(stack(keys, {"allowedCidrs": ["10.9.0.0/24"]}))
    assert [inside("10.9.0.1", part) for part in _PARTS] == [server, [], []]


def test_ssh_is_for_those_alone_that_the_stack_file_names() -> None:
    let_in = _let_in(stack(VM, _KEYS, _SSH))
    assert [let_in("203.0.113.7", part) for part in _PARTS] == [[22, 443], [], []]
    assert let_in("203.0.113.8", "compute") == [443]


@pytest.mark.parametrize(("database", "port"), [("postgresql", 5432), ("mysql", 3306)])
@pytest.mark.parametrize("keys", _NETWORKED)
def test_the_server_reaches_the_database_and_its_nodes_each_other(
    keys: dict[str, Any], database: str, port: int
) -> None:
    """https://learn.microsoft.com/azure/postgresql/network/concepts-networking-private says so of
    5432; of MySQL's nodes nothing is said, so that they have all ports.
    """
    made = stack(keys, _KEYS, {"database": database})
    let_in = _let_in(made)
    assert let_in(_in(made, "compute"), "database") == [port]
    assert let_in(_in(made, "database"), "database") == list(_PORTS)
    assert let_in(_in(made, "database"), "compute") == []


@pytest.mark.parametrize("keys", _NETWORKED)
def test_what_azure_runs_in_a_subnet_of_its_own_has_what_it_needs(keys: dict[str, Any]) -> None:
    """Container Apps ask for probes from 30000 to 32767, and for each other:
    https://learn.microsoft.com/azure/container-apps/firewall-integration
    """
    made = stack(keys, _KEYS)
    let_in = _let_in(made)
    assert {tuple(let_in(PROBES, part)) for part in _PARTS} == {_PORTS}
    # In the subnet of a machine may be others.
    own = [] if keys["compute"] == "vm" else list(_PORTS)
    assert let_in(_in(made, "compute"), "compute") == own


def test_networks_that_overlap_are_asked_for_once() -> None:
    """Azure takes none of one rule that do."""
    cidrs = ["203.0.113.0/24", "203.0.113.7/32", "198.51.100.0/25", "198.51.100.128/25"]
    [rules] = stack(VM, {"allowedCidrs": cidrs}).of("network:NetworkSecurityGroup")
    [front] = [rule for rule in rules["securityRules"] if rule["name"] == "front"]
    assert front["sourceAddressPrefixes"] == ["198.51.100.0/24", "203.0.113.0/24"]
