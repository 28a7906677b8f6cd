"""The base of every resource type. A type declares what is its own; the rest is here.

class Network(Resource):
    token = "tiny:index:Network"
    replaced_by = frozenset({"range"})

    def verify(self, inputs):
        checks.cidr(inputs["range"])
"""

import hashlib
import importlib.metadata
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, cast

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from infra.place import ROOT
from infra.rehearsal.provider import metadata
from infra.rehearsal.provider.conditions import Conditions
from infra.rehearsal.provider.errors import CancelledError, CloudError
from infra.rehearsal.provider.journal import Journal
from infra.rehearsal.provider.metadata import Problem
from infra.rehearsal.provider.store import Record, Store
from infra.rehearsal.provider.values import UNKNOWN, Props, has_unknown, lookup

# Inputs that the provider itself added, as the real providers note them down.
DEFAULTS = "__defaults"


@dataclass
class Cloud:
    """One cloud: its types of resources and functions, and all that it holds, in ``state_dir``."""

    name: str
    resources: "Iterable[type[Resource]]"
    state_dir: Path
    functions: "Iterable[type[Function]]" = ()
    version: str = ""
    conditions: Conditions = field(default_factory=Conditions)
    # Whether ids are drawn at random; else they are made of names.
    draws_ids: bool = True
    # Where the engine listens, once it has attached.
    engine: str = ""
    # Where an engine starts the provider, the program's folder: relative paths begin there.
    program: Path = ROOT / "infra"

    def __post_init__(self) -> None:
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self.version = self.version or _sdk_version(self.name)
        self.store = Store(self.state_dir / f"{self.name}.sqlite")
        self.journal = Journal(self.state_dir / "journal.jsonl")
        self.cancelled = threading.Event()
        # Set while a call takes its time, for tests that interrupt one.
        self.paused = threading.Event()

    def configured(self, config: Props) -> None:
        """Called for each provider that the engine sets up; may raise CloudError."""

    def say(self, message: str, urn: str = "") -> None:
        """Have the engine show a message beside a resource."""
        if self.engine:
            with grpc.insecure_channel(self.engine) as channel:
                note = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=message, urn=urn)
                cast("Any", engine_pb2_grpc.EngineStub(channel)).Log(note)

    def resolve(self, hostname: str, caller: str) -> str | None:
        """The address at which this machine reaches a public name of the cloud.

        None where there is no such name, or where its rules let nobody in from ``caller``.
        """
        return None

    def keys(self) -> Mapping[str, object]:
        """Keys of a stack file that are others in a rehearsal of this cloud."""
        return {}

    def environment(self) -> Mapping[str, str]:
        """What the deployer's own tools find in their environment."""
        return {}

    def close(self) -> None:
        """End what lives with this process."""

    def sweep(self) -> None:
        """Remove what a failed rehearsal left on this machine."""

    def pause(self, seconds: float) -> None:
        """Pass time until the engine cancels, which raises CancelledError."""
        if seconds <= 0:
            return
        self.paused.set()
        try:
            if self.cancelled.wait(seconds):
                raise CancelledError("cancelled by the engine")
        finally:
            self.paused.clear()


def _sdk_version(provider: str) -> str:
    """The engine warns of a provider that is older than the SDK in use."""
    try:
        return importlib.metadata.version(f"pulumi-{provider}")
    except importlib.metadata.PackageNotFoundError:
        return "0.0.1"


@dataclass(frozen=True)
class Call:
    """What a hook may want to know of the call that it serves.

    ``timeout`` is in seconds; ``id`` is that of the object at hand, empty while it is none.
    """

    cloud: Cloud
    config: Props
    name: str = ""
    urn: str = ""
    timeout: float = 0
    id: str = ""


class Function:
    """A data source: reads, never changes."""

    token: ClassVar[str]

    def __init__(self, call: Call) -> None:
        self.call = call
        self.cloud = call.cloud

    def invoke(self, args: Props) -> Props:
        raise NotImplementedError


class Resource:
    """One type of resource. Every hook may raise CloudError, and is called with plain values."""

    token: ClassVar[str]
    # Inputs (dotted paths) whose change makes another resource.
    replaced_by: ClassVar[frozenset[str]] = frozenset()
    # Outputs that are secret whatever the inputs are, and outputs that every update changes.
    secret_outputs: ClassVar[frozenset[str]] = frozenset()
    volatile: ClassVar[frozenset[str]] = frozenset()
    # The input that names the resource where two of one name cannot be, and what to put between
    # the resource's name and random letters where the program leaves it out.
    name_input: ClassVar[str] = ""
    autoname_separator: ClassVar[str | None] = None
    # Never two at a time, whatever they are called.
    delete_before_replace: ClassVar[bool] = False

    def __init__(self, call: Call) -> None:
        self.call = call
        self.cloud = call.cloud
        self.store = call.cloud.store

    # What a type may define.

    def defaults(self, inputs: Props) -> Props:
        """Inputs that the provider fills in where the program gives none."""
        return {}

    def check(self, inputs: Props) -> Iterator[Problem]:
        """What the provider finds wrong already in a preview; inputs may be UNKNOWN."""
        return iter(())

    def verify(self, inputs: Props) -> None:
        """What the cloud refuses when it is asked to create or update."""

    def identify(self, inputs: Props) -> str:
        """The id of a new object."""
        drawn = f"-{secrets.token_hex(4)}" if self.cloud.draws_ids else ""
        return f"{self.call.name}{drawn}"

    def compute(self, id: str, inputs: Props) -> Props:
        """The outputs that the cloud adds to the inputs."""
        return {}

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it; returns its id and all outputs."""
        id = self.identify(inputs)
        if self.store.get(id, hidden=True):
            raise self.exists_error(id)
        return id, {**inputs, **self.compute(id, inputs)}

    def read(self, id: str, known: Props) -> Props | None:
        """All outputs as they are now, or None if it is gone. ``known``: the outputs last seen."""
        record = self.store.get(id)
        return record.props if record and record.token == self.token else None

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        """Change it; returns all outputs."""
        if not self.store.get(id, hidden=True):
            raise self.missing_error(id)
        kept = {name: known[name] for name in self.computed() if name in known}
        return {**kept, **inputs, **self.compute(id, inputs)}

    def delete(self, id: str, known: Props) -> None:
        """Remove it; does nothing where it already is gone."""

    def exists_error(self, id: str) -> CloudError:
        return CloudError("AlreadyExists", f"cannot create already existing resource '{id}'", 409)

    def missing_error(self, id: str) -> CloudError:
        return CloudError("NotFound", f"the resource '{id}' was not found", 404)

    def quota_error(self, most: int) -> CloudError:
        return CloudError("QuotaExceeded", f"quota of {self.token} is {most}", 409)

    # What the server calls.

    @classmethod
    def computed(cls) -> frozenset[str]:
        """Outputs that are no inputs."""
        return metadata.schema(cls.token).computed

    @classmethod
    def input_names(cls) -> frozenset[str]:
        return frozenset(metadata.schema(cls.token).inputs)

    @classmethod
    def problems(cls, inputs: Props) -> Iterator[Problem]:
        return metadata.problems(cls.token, inputs)

    def checked(self, inputs: Props, olds: Props, seed: bytes) -> tuple[Props, list[Problem]]:
        """The inputs with all that the provider adds, and what is wrong with them."""
        filled = {**self.defaults(inputs), **{k: v for k, v in inputs.items() if v is not None}}
        if self.autoname_separator is not None and self.name_input not in filled:
            filled |= self._autoname(olds, seed)
        return filled, [*self.problems(filled), *self.check(filled)]

    def compared(self, inputs: Props, state: Props) -> Props:
        """What new inputs are compared with: the inputs of before, or what was read since."""
        return inputs

    def planned(self, inputs: Props, known: Props) -> Props:
        """The outputs as a preview can know them."""
        known = {k: v for k, v in known.items() if k in self.computed() - self.volatile}
        return {**dict.fromkeys(self.computed(), UNKNOWN), **known, **inputs}

    @classmethod
    def replace_paths(cls) -> frozenset[str]:
        return cls.replaced_by

    def same(self, name: str, old: Any, new: Any) -> bool:
        """Whether an input did not change; a value that a preview cannot know has."""
        return not has_unknown(new) and old == new

    def replacing(self, changed: Iterable[str], olds: Props, news: Props) -> set[str]:
        """Those of ``replace_paths`` under a changed top-level property whose value changes."""
        tops = set(changed)
        return {
            path
            for path in self.replace_paths()
            if path.split(".")[0] in tops
            and (has_unknown(lookup(news, path)) or lookup(news, path) != lookup(olds, path))
        }

    def delete_first(self, olds: Props, news: Props) -> bool:
        """Whether the old one must be gone before the new one can be made: a fixed name is kept."""
        if self.delete_before_replace:
            return True
        autonamed = self.name_input in news.get(DEFAULTS, [])
        return (
            bool(self.name_input)
            and not autonamed
            and olds.get(self.name_input) == news.get(self.name_input)
        )

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        """The inputs as the cloud now has them: those given, and those that somebody has changed.

        At an import nothing is ``known``, so all are taken. What the cloud does not give back is
        taken to be as it was.
        """
        moved = {name for name in self.input_names() if props.get(name) != known.get(name)}
        found = {name: props[name] for name in {*inputs, *moved} if props.get(name) is not None}
        kept = {name: value for name, value in inputs.items() if name not in props}
        return {**kept, **found}

    def find(self, id: Any, token: str) -> Record | None:
        """The object of one type with this id, if it can be seen."""
        record = self.store.get(id) if isinstance(id, str) else None
        return record if record and record.token == token else None

    def made_up_name(self, digest: str) -> str:
        """A name for what the program gives none; ``digest`` are random hexadecimal digits."""
        return f"{self.call.name}{self.autoname_separator}{digest[:7]}"

    def _autoname(self, olds: Props, seed: bytes) -> Props:
        kept = olds.get(self.name_input) if self.name_input in olds.get(DEFAULTS, []) else None
        digest = hashlib.sha256(seed + self.call.urn.encode()).hexdigest()
        return {self.name_input: kept or self.made_up_name(digest), DEFAULTS: [self.name_input]}
