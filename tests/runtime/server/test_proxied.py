"""Who asks, behind a proxy and without one."""

import pytest

from runtime.server.proxied import behind, last_hop
from tests.runtime.access.layers.driving import Inner, drive, http


def _client(proxies: str, *forwarded: str, peer: str = "10.0.0.2") -> tuple[str, str]:
    inner = Inner()
    headers = [("x-forwarded-for", value) for value in forwarded]
    scope = http("GET", "/", *headers, ("x-forwarded-proto", "https"), client=(peer, 1))
    drive(behind(inner, proxies), scope)
    return inner.scopes[0]["client"][0], inner.scopes[0]["scheme"]


def test_without_a_known_proxy_nothing_is_believed() -> None:
    assert _client("", "192.0.2.66", peer="127.0.0.1") == ("127.0.0.1", "http")
    assert _client("127.0.0.1", "192.0.2.66") == ("10.0.0.2", "http")


@pytest.mark.parametrize(
    "forwarded",
    [
        ("192.0.2.9",),
        # A proxy that adds to what a caller sent, in one header or in another.
        ("192.0.2.66, 192.0.2.9",),
        ("192.0.2.66", "192.0.2.9"),
        ("192.0.2.66", "192.0.2.67,192.0.2.9 "),
        ("192.0.2.66, 192.0.2.9:4711",),
    ],
)
def test_the_proxy_s_own_word_counts_alone(forwarded: tuple[str, ...]) -> None:
    assert _client("*", *forwarded) == ("192.0.2.9", "https")


def test_proxies_that_are_named_are_passed_over() -> None:
    forwarded = "192.0.2.66, 192.0.2.9, 10.0.0.3"
    assert _client("10.0.0.0/24", forwarded) == ("192.0.2.9", "https")


def test_nothing_stays_of_a_header_without_an_address() -> None:
    assert last_hop([(b"x-forwarded-for", b"192.0.2.66, "), (b"a", b"b")]) == [(b"a", b"b")]
