"""Waits until a cloud knows everywhere what it was told.

Rights are made at once, and known to the services that ask for them only after a while. What asks
again by itself need not wait; what is asked once, and fails, must.
"""

import os
import time
from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import Resource, UpdateResult

from infra.clouds.shared.dynamic import DynamicProvider, Props

# Overrides how long; in seconds.
SECONDS_VARIABLE = "TRACKSTACK_SETTLED_SECONDS"
_MOST_SECONDS = 600


class SettledProvider(DynamicProvider):
    """Of Settled."""

    place = "of"
    replaced_by = frozenset()
    # Another time to wait is no reason to wait again.
    computed = frozenset({"seconds"})

    def apply(self, props: Props) -> Props:
        given = os.environ.get(SECONDS_VARIABLE) or props["seconds"]
        time.sleep(min(float(given), _MOST_SECONDS))
        return {}

    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        """Wait for what is new; what is no more is waited for by nobody."""
        is_new = set(_news[self.place].split()) - set(_olds[self.place].split())
        return super().update(_id, _olds, _news) if is_new else UpdateResult(outs=_news)

    def drifted(self, props: Props) -> bool:
        return False

    def remove(self, props: Props) -> None:
        return


class Settled(Resource, module="trackstack", name="Settled"):
    """What depends on it begins ``seconds`` after ``of`` was there: the IDs, with spaces between
    them, of what is to be known.

    Waits once, when it is made or is of another one too, and ten minutes at most.
    """

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        super().__init__(SettledProvider(), name, props, opts)
