"""No update takes what holds data, unless whoever runs it names that by `DATA=`.

Before each `pulumi up` the engine's own plan is read: a preview of the very program. Each step that
deletes or replaces what holds data, or leaves it where the stack no longer knows it, stops the
update; so does another backend store or artifact destination than that of the server that is up.
(`pulumi up --plan` would hold the update to the preview, but is an experiment of the engine's that
refuses plans with values that are not known yet.)
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from infra.clouds import data
from infra.operations.protection import lifted
from infra.operations.stack import MistakeError, Preview, Resource, Stack
from runtime.errors import UserError

_ALLOWANCE = re.compile(r"(replace|delete):[a-z0-9-]+")
# The engine's operations -> what DATA= calls them.
_TAKING = {
    "delete": "delete",
    "discard": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "read-replacement": "replace",
    "delete-replaced": "replace",
    "discard-replaced": "replace",
}
_FATES = {
    ("replace", False): "deleted, with all that it holds; an empty one is made in its place",
    ("replace", True): "left behind, where the stack no longer knows it; an empty one is made",
    ("delete", False): "deleted, with all that it holds",
    ("delete", True): "left behind, where the stack no longer knows it",
}
_NEW_PASSWORD = "another is made, which the database does not know"  # noqa: S105
# A property of a resource -> the keys of the stack file that it comes from, where that is simple.
_KEYS = {
    "accountName": "name",
    "availabilityDomain": "availabilityDomain or highAvailability",
    "bucket": "name",
    "compartmentId": "compartmentId",
    "data_dir": "dataDir",
    "delegatedSubnetResourceId": "private or compute",
    "directory": "dataDir",
    "isRegionallyDurable": "highAvailability",
    "location": "region",
    "name": "name",
    "resourceGroupName": "resourceGroup or name",
    "serverName": "name",
    "subnetId": "vcnId or name",
}
# What is in the plan no more -> the keys that may have done it.
_DROPPED = {
    "database": "database, databaseSecretId or backendStoreUri",
    "database-data": "backendStoreUri",
    "database-server": "database or backendStoreUri",
    "group": "resourceGroup",
}
# An output -> what DATA= calls it, and the keys that it comes from.
_PLACES = {
    "backend_store": ("backend-store", "backendStoreUri, database or databaseSecretId"),
    "artifacts_destination": ("artifacts", "artifactsDestination or name"),
}
# In place of a value that a preview does not know yet.
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_DRIVER_AND_LOGIN = re.compile(r"^(\w+)(?:\+\w+)?://(?:[^@/]*@)?([^?]*).*$")


@dataclass(frozen=True)
class Finding:
    """What an update takes: ``action`` is replace or delete, ``name`` what DATA= calls it,
    ``fate`` what becomes of it, and ``cause`` why.
    """

    action: str
    name: str
    place: str
    fate: str
    cause: str

    @property
    def allowance(self) -> str:
        return f"{self.action}:{self.name}"


class DataLossError(UserError):
    """The update takes data that nobody named; nothing was changed."""


def allowances(text: str) -> frozenset[str]:
    """What a DATA= allows; raises MistakeError where it is malformed."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if not _ALLOWANCE.fullmatch(word):
            raise MistakeError(
                f"DATA={text}: {word!r} is neither replace:<name> nor delete:<name>; the names "
                "are those that an update which is stopped prints"
            )
    return frozenset(words)


def decide(events: Iterable[str], state: Sequence[Resource]) -> tuple[Finding, ...]:
    """What an update takes; ``events`` are the lines of its preview's event log. Pure."""
    known = {resource.urn: resource for resource in state}
    steps: dict[str, dict[str, Any]] = {}
    outputs: Mapping[str, Any] = {}
    for event in map(json.loads, events):
        step: Mapping[str, Any] = event.get("resourcePreEvent", {}).get("metadata") or {}
        if action := _TAKING.get(step.get("op", "")):
            found = steps.setdefault(step["urn"], {"action": action})
            found["causes"] = found.get("causes") or _causes(step)
        after: Mapping[str, Any] = event.get("resOutputsEvent", {}).get("metadata") or {}
        if after.get("type") == "pulumi:pulumi:Stack":
            outputs = after
    found = [
        finding
        for urn, step in steps.items()
        if urn in known and (finding := _taken(known[urn], **step))
    ]
    moved = [known[urn].place for urn in steps if urn in known and known[urn].holds_data]
    return tuple(dict.fromkeys([*found, *_other_places(outputs, moved)]))


def _causes(step: Mapping[str, Any]) -> list[str]:
    detailed: Mapping[str, Mapping[str, Any]] = step.get("detailedDiff") or {}
    replacing = [path for path, diff in detailed.items() if "replace" in str(diff.get("kind"))]
    return sorted(replacing or step.get("keys") or step.get("diffs") or ())


def _taken(resource: Resource, action: str, causes: Sequence[str]) -> Finding | None:
    name, fate = resource.name, _FATES[action, resource.kept]
    if bucket := data.emptied(resource.type, name):
        name = bucket
    elif data.opens_data(resource.type, name) and action == "replace":
        fate = _NEW_PASSWORD
    elif not resource.holds_data:
        return None
    return Finding(action, name, resource.place, fate, _cause(name, causes))


def _cause(name: str, causes: Sequence[str]) -> str:
    if not causes:
        keys = _DROPPED.get(name)
        return "the stack file asks for it no more" + (f" (by {keys})" if keys else "")
    words: list[str] = []
    for path in causes:
        keys = _KEYS.get(re.split(r"[.\[\]]", path)[-1])
        words.append(f"{path} ({keys})" if keys and keys != path else path)
    return f"changed: {', '.join(words)}"


def _other_places(step: Mapping[str, Any], moved: Sequence[str]) -> list[Finding]:
    """The stores that the server that is up has, and the updated one has not."""
    was, will = _outputs(step.get("old")), _outputs(step.get("new"))
    found: list[Finding] = []
    for output, (name, keys) in _PLACES.items():
        old, new = was.get(output), will.get(output)
        if not isinstance(old, str) or not isinstance(new, str) or new == _UNKNOWN:
            continue
        # What lies in a directory that is taken itself is named with it.
        if _same(old, new) or any(place.startswith("/") and place in old for place in moved):
            continue
        fate = f"the server leaves it, and goes on with what is at {new}"
        found.append(Finding("replace", name, old, fate, f"changed: {keys}"))
    return found


def _outputs(state: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (state or {}).get("outputs") or {}


def _same(old: str, new: str) -> bool:
    """Whether two addresses are of one store, whichever driver and login lead to it."""
    ours, theirs = (_DRIVER_AND_LOGIN.sub(r"\1://\2", uri).rstrip("/") for uri in (old, new))
    return ours == theirs


def refuse(findings: Iterable[Finding], allowed: Collection[str]) -> None:
    """Raise DataLossError where one of them is not allowed; say the others."""
    findings = tuple(findings)
    stopped = [finding for finding in findings if finding.allowance not in allowed]
    for finding in findings:
        if finding not in stopped:
            click.echo(f"DATA={finding.allowance}: {finding.place} is {finding.fate}", err=True)
    if not stopped:
        return
    lines = ["stopped: this update takes what holds data; nothing was changed"]
    for finding in stopped:
        lines += [f"  {finding.name} ({finding.place})"]
        lines += [f"      {finding.fate}", f"      {finding.cause}"]
    every = ",".join(dict.fromkeys(finding.allowance for finding in findings))
    lines.append("Put the stack file back; or back up first (make run ARGS=backup), and to lose it")
    lines.append(f"say so with DATA={every}")
    raise DataLossError("\n".join(lines))


def protected(state: Sequence[Resource], allowed: Collection[str]) -> list[str]:
    """The URNs of what is protected and may be taken all the same. Pure."""
    return [one.urn for one in state if one.protected and not _names(one).isdisjoint(allowed)]


def _names(resource: Resource) -> set[str]:
    """What DATA= may call it."""
    name = data.emptied(resource.type, resource.name) or resource.name
    return {f"replace:{name}", f"delete:{name}"}


def environment(state: Sequence[Resource]) -> dict[str, str]:
    """What the program of an update is told of the stack that is up."""
    places = [
        one.inputs["data_dir"] for one in state if one.holds_data and "data_dir" in one.inputs
    ]
    return {data.DIRECTORY_VARIABLE: str(places[0])} if places else {}


def failed(preview: Preview) -> UserError:
    """Why a preview failed, without what the engine prints around it. Pure."""
    errors: list[str] = []
    for event in map(json.loads, preview.events):
        said: Mapping[str, str] = event.get("diagnosticEvent") or {}
        if said.get("severity") == "error":
            errors.append(said["message"].strip())
    reasons = [error for error in errors if error != "preview failed"]
    return UserError("\n".join(dict.fromkeys(reasons)) or preview.said.strip())


def look(
    stack: Stack,
    state: Sequence[Resource],
    *options: str,
    quiet: bool = False,
    silent: bool = True,
) -> tuple[Preview, tuple[Finding, ...]]:
    """A preview with ``options``, and what it takes of ``state``."""
    preview = stack.preview(*options, quiet=quiet, silent=silent, environment=environment(state))
    return preview, decide(preview.events, state)


def up(
    stack: Stack, *options: str, allowed: Collection[str] = frozenset(), quiet: bool = False
) -> int:
    """`pulumi up` with ``options``; returns the engine's exit code.

    Raises DataLossError where it would take data that ``allowed`` does not name, and UserError
    where that cannot be found out; nothing was changed then.
    """
    state = stack.resources()
    with lifted(stack, protected(state, allowed), quiet=quiet) as done:
        # A stack that is not up has nothing to lose, and need not wait for a preview.
        if any(resource.holds_data for resource in state):
            refreshing = [option for option in options if option == "--refresh"]
            preview, findings = look(stack, state, *refreshing)
            # What is protected makes the preview fail, and stands in its plan all the same.
            refuse(findings, allowed)
            if preview.code:
                raise failed(preview)
        code = stack.run("up", *options, quiet=quiet, environment=environment(state))
        if not code:
            done()
    return code
