"""The smallest cloud: one type of resource, to try the provider itself on the real engine."""

from collections.abc import Iterator
from pathlib import Path

from infra.rehearsal.provider.metadata import Problem
from infra.rehearsal.provider.resource import Cloud, Function, Resource
from infra.rehearsal.provider.values import Props, Unknown


class Thing(Resource):
    token = "tiny:index:Thing"
    replaced_by = frozenset({"zone", "spec.disk"})
    name_input = "name"
    autoname_separator = "-"
    secret_outputs = frozenset({"key"})
    volatile = frozenset({"revision"})

    @classmethod
    def input_names(cls) -> frozenset[str]:
        return frozenset({"name", "zone", "size", "password", "spec"})

    @classmethod
    def computed(cls) -> frozenset[str]:
        return frozenset({"key", "revision"})

    @classmethod
    def problems(cls, inputs: Props) -> Iterator[Problem]:
        return iter(())

    def defaults(self, inputs: Props) -> Props:
        return {"zone": "north"}

    def check(self, inputs: Props) -> Iterator[Problem]:
        size = inputs.get("size", 1)
        if not isinstance(size, Unknown) and size < 1:
            yield Problem("size", f"size must be 1 or more, got {size}")

    def identify(self, inputs: Props) -> str:
        return f"thing/{inputs['zone']}/{inputs['name']}"

    def compute(self, id: str, inputs: Props) -> Props:
        record = self.store.get(id, hidden=True)
        revision = record.props["revision"] + 1 if record else 1
        return {"key": f"key-of-{id}", "revision": revision}


class GetThing(Function):
    token = "tiny:index:getThing"

    def invoke(self, args: Props) -> Props:
        return {"names": [record.props["name"] for record in self.cloud.store.find(Thing.token)]}


def open_cloud(state_dir: Path) -> Cloud:
    return Cloud("tiny", [Thing], state_dir, [GetThing])
