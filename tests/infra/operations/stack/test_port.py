"""The port of a stack on this machine, before it is up."""

from collections.abc import Callable

import pytest

from infra.operations.stack import MistakeError
from infra.operations.stack.port import chosen
from infra.settings import Settings, parse

_LOCAL = parse({"cloud": "local"})
_CLOUD = parse(
    {
        "cloud": "azure",
        "subscriptionId": "5d7f8f6e-0000-4000-8000-000000000001",
        "region": "westeurope",
        "allowedCidrs": '["0.0.0.0/0"]',
    }
)


def _choose(
    asked: int | None = None,
    settings: Settings = _LOCAL,
    *,
    is_own: bool = False,
    is_up: bool = False,
    is_free: Callable[[int], bool] = lambda port: port > 5001,
) -> int | None:
    return chosen(asked, settings, is_own=is_own, is_up=is_up, is_free=is_free)


def test_a_first_up_takes_the_next_free_port_where_the_default_is_taken() -> None:
    assert _choose() == 5002
    assert _choose(is_free=lambda _: True) is None
    assert _choose(settings=_CLOUD) is None


def test_a_port_that_is_named_or_had_already_stays() -> None:
    assert _choose(is_own=True) is None
    assert _choose(is_up=True) is None


def test_a_port_that_is_asked_for_goes_before_all() -> None:
    assert _choose(5010, is_own=True, is_up=True) == 5010
    with pytest.raises(MistakeError, match="PORT= is for a stack on this machine"):
        _choose(5010, _CLOUD)
