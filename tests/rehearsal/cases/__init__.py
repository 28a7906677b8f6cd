"""Negative cases: mistakes in a stack, and the error that each cloud answers with.

Each is made in a small world that is right but for it. A case has what marks the cloud's error (its
code, or the part of its text that names the mistake) and where the rule or the error is written
down; the wording around the code is the cloud's own where that page quotes it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.resource import Call, Cloud
from infra.rehearsal.provider.values import Props

REGISTRY = "https://www.pulumi.com/registry/packages"


class World:
    """A cloud that takes orders without an engine, and the ids of what is in it by name."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.ids: dict[str, str] = {}
        self._types = {
            name: kind
            for kind in cloud.resources
            # Of two of one name, one is meant by its module as well.
            for name in (kind.token.split(":")[-1], kind.token.partition(":")[2])
        }

    def make(self, kind: str, name: str, inputs: Props) -> Props:
        """Check, verify and create as `pulumi up` does; CloudError tells all that is wrong."""
        resource = self._types[kind](Call(self.cloud, {}, name, f"urn:{kind}::{name}"))
        checked, problems = resource.checked(inputs, {}, b"seed")
        if problems:
            raise CloudError("Check", "; ".join(problem.reason for problem in problems))
        resource.verify(checked)
        id, props = resource.create(checked)
        self.cloud.store.put(id, resource.token, props)
        self.ids[name] = id
        return props


@dataclass(frozen=True)
class Case:
    title: str
    kind: str
    inputs: Callable[[World], Props]
    error: str
    source: str
