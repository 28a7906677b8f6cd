"""What becomes of the data where a key of a stack that is up changes: every key, once.

The program runs on mocks with the old value and the new one. What the engine would replace is asked
of the rehearsed clouds, which know it from the providers' own schemas.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pulumi

from infra.clouds import data, facts
from infra.clouds.shared.home import moves
from infra.errors import StackError
from infra.place import ROOT
from infra.plan import make_plan
from infra.plan.place import Place
from infra.rehearsal.dump.answers import BUILT, Answers
from infra.rehearsal.dump.recording import Registered, opened, record
from infra.rehearsal.provider.resource import Call, Resource
from infra.rehearsal.provider.values import UNKNOWN, Props
from infra.rehearsal.serve import load
from infra.settings import model_of, parse
from tests.infra.operations.stack.guard.key_values import STACKS, others

PAGE = ROOT / "docs" / "changed-keys.md"
_IMAGE = "docker:index/image:Image"
_MEANS_NOTHING = ("means nothing", "only with", "needs", "allowed")


@dataclass(frozen=True)
class _Made:
    home: dict[str, str]
    artifacts: str
    resources: dict[str, Registered]
    ids: dict[tuple[str, str], str]


def _made(stack: str, changes: Mapping[str, Any]) -> _Made:
    """What the program makes."""
    given = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in {**STACKS[stack], **changes}.items()
    }
    settings = parse(given)
    plan = make_plan(settings, Place(stack, ROOT, frozenset({"registryPassword"})))
    with tempfile.TemporaryDirectory() as folder:
        clouds = _Recorded(settings.providers, Path(folder))
        found = record(plan, stack, clouds)
    return _Made(
        home=getattr(plan, "home", {}),
        artifacts=plan.artifacts_destination,
        resources={one.options["urn"]: one for one in found if not one.is_component},
        ids=clouds.ids,
    )


class _Recorded(Answers):
    """Notes the ids that the clouds give, by type and name."""

    def __init__(self, providers: Sequence[str], folder: Path) -> None:
        super().__init__(providers, folder)
        self.ids: dict[tuple[str, str], str] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, Props]:
        id_, props = super().new_resource(args)
        self.ids[args.typ, args.name] = id_
        return id_, props


class _Engine:
    """Says what the engine would do with what was there, by the providers' rules."""

    def __init__(self, providers: Sequence[str], folder: Path) -> None:
        clouds = [load(name, folder) for name in providers]
        self._kinds: dict[str, tuple[Any, type[Resource]]] = {
            kind.token: (c, kind) for c in clouds for kind in c.resources
        }

    def replaced(self, before: _Made, after: _Made) -> set[str]:
        """The URNs of what is replaced: for its own inputs, or for the id of what it refers to."""
        found: set[str] = set()
        ids: set[str] = set()
        for urn, old in before.resources.items():
            if urn not in after.resources:
                continue
            new = after.resources[urn]
            if self._replaces(old, new, ids):
                found.add(urn)
                ids.add(before.ids[old.type, old.name])
            elif old.type == _IMAGE and opened(old.inputs) != opened(new.inputs):
                # Built again, and so with another digest.
                ids.add(BUILT)
        return found

    def _replaces(self, old: Registered, new: Registered, ids: set[str]) -> bool:
        was, will = opened(old.inputs), _unknown(opened(new.inputs), ids)
        for path in new.options["ignoreChanges"]:
            will = _with(will, path.split("."), _at(was, path))
        changed = {k for k in was.keys() | will.keys() if was.get(k) != will.get(k)}
        if any(_at(was, path) != _at(will, path) for path in new.options["replaceOnChanges"]):
            return True
        if old.type not in self._kinds:
            return bool(changed & {"data_dir", "bucket", "namespace"})
        cloud, kind = self._kinds[old.type]
        asked = kind(Call(cloud, {}, old.name, old.options["urn"]))
        return bool(asked.replacing(changed, was, will))


def _at(props: Any, path: str) -> Any:
    for name in path.split("."):
        props = cast("dict[str, Any]", props).get(name) if isinstance(props, dict) else None
    return props


def _with(props: Any, path: Sequence[str], value: Any) -> Any:
    """The same, with another value at a path; without any there for None."""
    known = cast("dict[str, Any]", props) if isinstance(props, dict) else {}
    name, *rest = path
    inner = _with(known.get(name), rest, value) if rest else value
    kept = {key: other for key, other in known.items() if key != name}
    return kept if inner is None or inner == {} else {**kept, name: inner}


def _unknown(value: Any, ids: set[str]) -> Any:
    """As a preview knows it, where what has one of these ids is about to be another."""
    if isinstance(value, dict):
        known = cast("dict[str, Any]", value)
        return {key: _unknown(inner, ids) for key, inner in known.items()}
    if isinstance(value, list):
        return [_unknown(inner, ids) for inner in cast("list[Any]", value)]
    return UNKNOWN if isinstance(value, str) and value in ids else value


def _told(before: _Made, after: _Made, replaced: set[str]) -> str:
    """What is said of a change: that it is refused, by us or the cloud, or the one DATA= that lets
    it be; else nothing.

    Make takes the last DATA= alone, so that all stand in one.
    """
    if moves(before.home, after.home):
        return "refused"
    if any(
        facts.refused(old.type, opened(old.inputs), opened(after.resources[urn].inputs))
        for urn, old in before.resources.items()
        if urn in after.resources and urn not in replaced
    ):
        return "not in place"
    taken: list[str] = []
    for urn, old in before.resources.items():
        name = data.emptied(old.type, old.name) or old.name
        if name == old.name and not data.holds_data(old.type, old.name):
            continue
        if urn not in after.resources:
            taken.append(f"delete:{name}")
        elif urn in replaced:
            taken.append(f"replace:{name}")
    # A place in a directory that goes is named with it.
    if not taken and after.artifacts != before.artifacts:
        taken.append("replace:artifacts")
    return f"DATA={','.join(dict.fromkeys(taken))}" if taken else ""


def _changed(stack: str) -> Iterator[tuple[str, _Made]]:
    """Each key of a kind of stack, and what the program makes with another value of it."""
    for name, field in model_of(STACKS[stack]).model_fields.items():
        key = field.alias or name
        changes = others(stack, key, field.default)
        if not changes:
            continue
        try:
            yield key, _made(stack, changes)
        except StackError as error:
            # A key that means nothing there is refused before the engine is asked.
            if not any(word in str(error.problems) for word in _MEANS_NOTHING):
                raise


def table(stack: str, folder: Path) -> dict[str, str]:
    """Key -> what is told where it changes; keys that leave all data alone are left out."""
    engine = _Engine(model_of(STACKS[stack]).providers, folder)
    before = _made(stack, {})
    found: dict[str, str] = {}
    for key, after in _changed(stack):
        replaced = engine.replaced(before, after)
        if told := _told(before, after, replaced):
            found[key] = told
    return found


def replaced(stack: str, kind: str, folder: Path) -> dict[str, frozenset[str]]:
    """Key -> the names of what is replaced of a type."""
    engine = _Engine(model_of(STACKS[stack]).providers, folder)
    before = _made(stack, {})
    return {
        key: frozenset(
            before.resources[urn].name
            for urn in engine.replaced(before, after)
            if before.resources[urn].type == kind
        )
        for key, after in _changed(stack)
    }


_HEAD = """\
# What a changed key does to data

`python -m tests.infra.operations.stack.guard.every_key` writes this page: each key of each kind of
stack is changed once, and what the engine would delete or replace is asked of the rehearsed clouds.
Every other key leaves all data where they are. `backendStoreUri`, which is a secret key, takes the
place of the stack's own database, which `DATA=delete:` must name.

- **refused**: a stack that is up never moves. Bring up another one there, and fill it with
  `make recover`.
- **`DATA=...`**: `make up` stops and changes nothing, unless that is named. With `keepData: true`
  what was there stays in the cloud, where the stack no longer knows it; else it is deleted.
- Azure has no two of one name: with `keepData: true` what is kept would be in the way of what
  replaces it, and `make up` stops whatever is named. Fill another stack with `make recover`, or
  give the data up: an update with `keepData: false` alone, then the other.
- **not in place**: the cloud refuses it of what is there. `make up` stops, changes nothing, and
  says what else to do.

| kind of stack | key | `make up` |
|---|---|---|
"""


def page() -> str:
    """The table of all kinds of stacks, in Markdown."""
    lines: list[str] = []
    for stack in STACKS:
        with tempfile.TemporaryDirectory() as folder:
            rows = table(stack, Path(folder)).items()
        lines += [row(stack, key, told) for key, told in rows]
    return _HEAD + "\n".join(lines) + "\n"


def row(stack: str, key: str, told: str) -> str:
    """A line of the page."""
    shown = f"`{told}`" if told.startswith("DATA=") else told
    return f"| {stack} | `{key}` | {shown} |"


if __name__ == "__main__":
    PAGE.write_text(page())
