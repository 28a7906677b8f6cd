"""Whether an existing network takes a stack, by what Azure answered. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, ip_network
from typing import Any

from infra.operations.account import Check
from infra.operations.account.azure.arm import Body, at, each
from infra.operations.account.azure.checks import Answer, is_absent, said
from infra.plan.azure import AzurePlan

_LINKED, _NOT_LINKED = "linked to the network", "not linked to the network"
_ABSENT, _UNSEEN = "is not there", "unseen"


def room(plan: AzurePlan, answer: Answer[Body]) -> Iterator[Check]:
    """https://learn.microsoft.com/rest/api/virtualnetwork/virtual-networks/get"""
    settings = plan.settings
    if isinstance(answer, Exception):
        cure = "trackstack:virtualNetworkId: one that is there"
        yield Check("network", False, said(answer), cure)
        return
    region = str(at(answer, "location")).replace(" ", "").lower()
    cure = "trackstack:region: the network's, or trackstack:virtualNetworkId: one of the region"
    yield Check("region of the network", region == settings.region, region, cure)
    spaces = list(map(str, each(answer, "properties", "addressSpace", "addressPrefixes")))
    whole = IPv4Network(settings.network_cidr)
    inside = any(_holds(space, whole) for space in spaces)
    found = f"{whole} {'is' if inside else 'is not'} in {', '.join(spaces)}"
    cure = "trackstack:networkCidr: a part of those"
    yield Check("addresses of the network", inside, found, cure)
    yield _subnets(plan, whole, each(answer, "properties", "subnets"))


def _subnets(plan: AzurePlan, whole: IPv4Network, subnets: Sequence[Any]) -> Check:
    """The stack makes subnets of its own, each delegated to what is in it: no other is there."""
    taken = list[str]()
    for subnet in subnets:
        several = each(subnet, "properties", "addressPrefixes")
        given = [*several, at(subnet, "properties", "addressPrefix")]
        prefixes = [str(prefix) for prefix in given if prefix]
        name = str(at(subnet, "name"))
        if name not in _own(plan) and any(_overlaps(prefix, whole) for prefix in prefixes):
            to = each(subnet, "properties", "delegations")
            whose = f", delegated to {at(to[0], 'properties', 'serviceName')}" if to else ""
            taken.append(f"{name} ({', '.join(prefixes)}{whose})")
    found = f"{whole} is taken by {', '.join(taken)}" if taken else f"{whole} is free"
    cure = "trackstack:networkCidr: a part of the network that no subnet is in"
    return Check("subnets of the network", not taken, found, cure)


def _own(plan: AzurePlan) -> set[str]:
    return {f"{plan.names.base}-{part}" for part in ("compute", "database", "endpoints")}


def _holds(space: str, part: IPv4Network) -> bool:
    whole = ip_network(space)
    return isinstance(whole, IPv4Network) and part.subnet_of(whole)


def _overlaps(prefix: str, part: IPv4Network) -> bool:
    other = ip_network(prefix)
    return isinstance(other, IPv4Network) and part.overlaps(other)


def link(network: str, answer: Answer[Body]) -> str:
    """What a private DNS zone is to a network.

    https://learn.microsoft.com/rest/api/dns/privatedns/virtual-network-links/list
    """
    if isinstance(answer, Exception):
        return _ABSENT if is_absent(answer) else _UNSEEN
    links = each(answer, "value")
    ids = {str(at(link, "properties", "virtualNetwork", "id")).lower() for link in links}
    return _LINKED if network.lower() in ids else _NOT_LINKED


def zone(name: str, id: str | None, network: str, links: Mapping[str, str]) -> Check:
    """Of a zone that is needed: ``links`` are those of its name that Azure shows, and what each is
    to the stack's network; ``id`` is the one that the stack file names.
    """
    what = f"zone {name}"
    if id:
        group, zone = id.split("/")[4], id.rpartition("/")[2]
        cures = {
            _ABSENT: "trackstack:privateDnsZoneIds: one that is there",
            _NOT_LINKED: (
                f"az network private-dns link vnet create -g {group} -z {zone} -n trackstack "
                f"-e false -v {network} --subscription {id.split('/')[2]}"
            ),
        }
        is_good = {_LINKED: True, _UNSEEN: None}.get(links[id], False)
        return Check(what, is_good, links[id], cures.get(links[id], ""))
    other = next((each for each, found in links.items() if found == _LINKED), None)
    if other:
        cure = f"a network takes one zone of a name; trackstack:privateDnsZoneIds: add {other}"
        return Check(what, False, "the network has one already", cure)
    return Check(what, True, "is made")
