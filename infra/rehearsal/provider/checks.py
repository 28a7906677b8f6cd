"""Checks that all clouds have; the caller passes the error, because each cloud words its own."""

import ipaddress
import re
from collections.abc import Callable, Iterable

from infra.rehearsal.provider.errors import CloudError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Refusal = Callable[..., CloudError]


def network(text: str, malformed: Refusal, host_bits: Refusal) -> Network:
    """A CIDR. ``malformed(text)`` where it is none, ``host_bits(text, right)`` beside a network."""
    try:
        loose = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise malformed(text) from None
    if text != str(loose):
        if "/" not in text:
            raise malformed(text)
        raise host_bits(text, str(loose))
    return loose


def contains(outer: Network, inner: Network) -> bool:
    """Whether one network lies in another; never across address families."""
    if isinstance(outer, ipaddress.IPv4Network) and isinstance(inner, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(outer, ipaddress.IPv6Network) and isinstance(inner, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False


def within(inner: Network, outers: Iterable[Network], error: CloudError) -> None:
    """The network lies in one of the others."""
    if not any(contains(outer, inner) for outer in outers):
        raise error


def apart(
    inner: Network, others: Iterable[Network], error: Callable[[Network], CloudError]
) -> None:
    """The network overlaps none of the others."""
    for other in others:
        if other.overlaps(inner):
            raise error(other)


def named(name: str, pattern: str, low: int, high: int, error: CloudError) -> None:
    """A name within a length (characters) and a pattern."""
    if not low <= len(name) <= high or not re.fullmatch(pattern, name):
        raise error
