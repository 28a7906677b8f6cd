"""What our dynamic providers share.

Pulumi keeps a dynamic provider in the state by reference to its class, so the classes hold no
data: all that they need comes in as properties, and all of these come back as outputs.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

Props = dict[str, Any]
_Result = TypeVar("_Result")


def _without_stack(method: Callable[..., _Result]) -> Callable[..., _Result]:
    """Pulumi prints the stack of whatever a provider raises; leave its user the message alone."""

    @functools.wraps(method)
    def call(*args: Any) -> _Result:
        try:
            return method(*args)
        except Exception as error:
            sys.tracebacklimit = 0
            raise RuntimeError(str(error)) from None

    return call


class DynamicProvider(ResourceProvider):
    """Compares the inputs with the state, and the state with the machine.

    Drift is looked for in every diff and not only in a refresh, so that after a reboot a plain
    `pulumi up` puts right what no longer runs.
    """

    # Secret properties are kept secret one by one; the class itself holds none.
    serialize_as_secret_always = False
    # Outputs that are not inputs, and inputs whose change makes another resource.
    computed: frozenset[str] = frozenset()
    replaced_by: frozenset[str] = frozenset({"data_dir"})
    # The input that says where on this machine it is.
    place: str = "data_dir"

    def __init_subclass__(cls) -> None:
        for name in ("apply", "remove", "drifted"):
            if name in cls.__dict__:
                setattr(cls, name, _without_stack(cls.__dict__[name]))

    def apply(self, props: Props) -> Props:
        """Make it so, whatever was there before; returns the computed outputs."""
        raise NotImplementedError

    def remove(self, props: Props) -> None:
        """Make it not so; does nothing where it already is not."""
        raise NotImplementedError

    def drifted(self, props: Props) -> bool:
        """Whether this machine no longer is as ``props`` describe."""
        raise NotImplementedError

    def create(self, props: Props) -> CreateResult:
        outputs = props | self.apply(props)
        return CreateResult(id_=f"{type(self).__name__}:{props[self.place]}", outs=outputs)

    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        return UpdateResult(outs=_news | self.apply(_news))

    def delete(self, _id: str, _props: Props) -> None:
        self.remove(_props)

    def read(self, id_: str, props: Props) -> ReadResult:
        # An empty id tells the engine that the resource is gone; the next `up` makes it again.
        return ReadResult(id_="" if self.drifted(props) else id_, outs=props)

    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        ignored = self.computed | {"__provider"}
        keys = (_olds.keys() | _news.keys()) - ignored
        changed = {key for key in keys if _olds.get(key) != _news.get(key)}
        return DiffResult(
            changes=bool(changed) or self.drifted(_olds),
            replaces=sorted(changed & self.replaced_by),
            # The new one may need the port or the directory of the old one.
            delete_before_replace=True,
        )
