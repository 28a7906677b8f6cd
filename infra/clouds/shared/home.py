"""Where a stack is in its cloud: noted when it is first brought up, and the same from then on.

No cloud moves a database or a bucket to another region, group or name. The engine would make new
ones beside them, or only look for the old ones in the wrong place. So a change is refused by the
engine itself, in a plain `pulumi up` as well, and no DATA= allows it.
"""

from collections.abc import Mapping

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import CheckFailure, CheckResult, Resource

from infra.clouds.shared.dynamic import DynamicProvider, Props

_MOVED = (
    "trackstack:{key}: a stack that is up stays where it is; allowed: {was}. To have it at {now}, "
    "bring up a stack of another name there and fill it with `make recover`, or take this one down "
    "first"
)


def moves(was: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with a stack that is elsewhere now, by the key of the stack file. Pure."""
    return {
        key: _MOVED.format(key=key, was=value, now=now.get(key, "no place"))
        for key, value in was.items()
        if now.get(key) != value and not key.startswith("__")
    }


class _InState(DynamicProvider):
    """Of what is nowhere but in the stack's state."""

    replaced_by = frozenset()

    def apply(self, props: Props) -> Props:
        return {}

    def remove(self, props: Props) -> None:
        pass

    def drifted(self, props: Props) -> bool:
        return False


class _HomeProvider(_InState):
    place = "name"

    def check(self, _olds: Props, news: Props) -> CheckResult:
        found = moves(_olds, news)
        return CheckResult(news, [CheckFailure(key, reason) for key, reason in found.items()])


class Home(Resource, module="trackstack", name="StackHome"):
    """Inputs: keys of the stack file, ``name`` among them, and the values that never change.

    The provider of the cloud depends on it, so that nothing is asked of the cloud before.
    """

    def __init__(self, keys: Mapping[str, str], opts: ResourceOptions | None = None):
        super().__init__(_HomeProvider(), "home", dict(keys), opts)


class _NotedProvider(_InState):
    place = "value"


class Noted(Resource, module="trackstack", name="Noted"):
    """``value`` is what it was when it was first noted, whatever the program gives later."""

    value: Output[str]

    def __init__(self, name: str, value: Input[str], opts: ResourceOptions | None = None):
        own = ResourceOptions(ignore_changes=["value"])
        merged = ResourceOptions.merge(opts, own)
        super().__init__(_NotedProvider(), name, {"value": value}, merged)
