"""Which data an update would delete, replace or abandon, by the engine's plan. Pure.

Each step that deletes or replaces what holds data, or leaves it where the stack no longer knows it;
another backend store or artifact destination than that of the server that is up; a provider that is
pointed elsewhere; and each update that a cloud is known to refuse.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.clouds import data, facts
from infra.operations.stack import Resource

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
_IN_THE_WAY = "kept, as the stack has it (keepData: true), and so in the way of another of its name"
_NEW_PASSWORD = "another is made, which the database does not know"  # noqa: S105
_NO_KEY = "no longer known: what it encrypted opens only where earlierBackupKeys has it"
_ELSEWHERE = "left behind with all that the stack has there; it goes on in {}"
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
    "backup-key": "backupEncryption",
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
_NOT_SAID = "the engine says no more of it, as it is protected"
# In place of a value that a preview does not know yet.
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_DATABASE = re.compile(r"^(\w+)(?:\+\w+)?://(?:[^@/]*@)?([^?]*).*$")


@dataclass(frozen=True)
class Finding:
    """What an update takes: ``action`` is replace or delete, or update of what it cannot change;
    ``name`` what DATA= calls it, ``fate`` what becomes of it, and ``cause`` why. What is ``barred``
    no DATA= lets go: the update would go wrong halfway.
    """

    action: str
    name: str
    place: str
    fate: str
    cause: str
    barred: bool = False

    @property
    def refused(self) -> bool:
        """Whether nothing is taken, and the cloud would refuse the update."""
        return self.action == "update"

    @property
    def allowance(self) -> str:
        return f"{self.action}:{self.name}"


def names_of(resource: Resource) -> set[str]:
    """What DATA= may call a resource. Pure."""
    name = data.emptied(resource.type, resource.name) or resource.name
    return {f"replace:{name}", f"delete:{name}"}


def decide(events: Iterable[str], state: Sequence[Resource]) -> tuple[Finding, ...]:
    """What an update takes; ``events`` are the lines of its preview's event log. Pure."""
    known = {resource.urn: resource for resource in state}
    steps: dict[str, dict[str, Any]] = {}
    outputs: Mapping[str, Any] = {}
    left: list[Finding] = []
    held: dict[str, dict[str, Any]] = {}
    for event in map(json.loads, events):
        step: Mapping[str, Any] = event.get("resourcePreEvent", {}).get("metadata") or {}
        if action := _TAKING.get(step.get("op", "")):
            # One that is called otherwise from now on still has its old name in the state.
            urn = (step.get("old") or step).get("urn", step["urn"])
            noted = steps.setdefault(urn, {"action": action})
            noted["causes"] = noted.get("causes") or _causes(step)
        if str(step.get("type")).startswith("pulumi:providers:"):
            left += _left_regions(step)
        if resource := known.get(str(step.get("urn"))):
            left += _refused(step, resource, state)
        for urn, action in _held(event.get("diagnosticEvent") or {}, state):
            causes = (_NOT_SAID,) if action == "replace" else ()
            held[urn] = {"action": action, "causes": causes}
        after: Mapping[str, Any] = event.get("resOutputsEvent", {}).get("metadata") or {}
        if after.get("type") == "pulumi:pulumi:Stack":
            outputs = after
    found: dict[str, Finding] = {}
    for urn, step in (held | steps).items():
        if urn in known and (finding := _taken(known[urn], **step)):
            # A bucket and the resource that empties it are one to the reader.
            found.setdefault(finding.allowance, finding)
    moved = [known[urn].place for urn in steps if urn in known and known[urn].holds_data]
    return tuple(dict.fromkeys([*found.values(), *left, *_other_places(outputs, moved)]))


def _held(said: Mapping[str, str], state: Sequence[Resource]) -> list[tuple[str, str]]:
    """What the engine refuses to take because it is protected: it may end before it plans that."""
    message = said.get("message", "")
    if said.get("severity") != "error" or "protect" not in message:
        return []
    action = "replace" if "unable to replace" in message else "delete"
    return [(one.urn, action) for one in state if one.protected and f'{one.urn}"' in message]


def _left_regions(step: Mapping[str, Any]) -> list[Finding]:
    """Where a provider is pointed elsewhere: what the stack has where it was, it no longer finds,
    though nothing is replaced.
    """
    was, will = (_part(step.get(state), "inputs") for state in ("old", "new"))
    return [
        Finding("replace", name, str(was[key]), _ELSEWHERE.format(will[key]), f"changed: {key}")
        for key, name in (("region", "region"), ("subscriptionId", "subscription"))
        if was.get(key) and will.get(key) and was[key] != will[key]
    ]


def _refused(
    step: Mapping[str, Any], resource: Resource, state: Sequence[Resource]
) -> list[Finding]:
    """What its cloud will not change."""
    if step.get("op") != "update":
        return []
    was, will = (_part(step.get(when), "inputs") for when in ("old", "new"))
    why = facts.refused(resource.type, was, will)
    if not why or (facts.refused_in_use(resource.type) and not _in_use(resource, state)):
        return []
    cause = _cause(resource.name, _causes(step))
    return [Finding("update", resource.name, resource.place, why, cause, barred=True)]


def _in_use(resource: Resource, state: Sequence[Resource]) -> bool:
    """Whether another of the stack names its id."""
    others = (json.dumps(one.inputs) for one in state if one.urn != resource.urn)
    return bool(resource.id) and any(f'"{resource.id}"' in inputs for inputs in others)


def _causes(step: Mapping[str, Any]) -> list[str]:
    detailed: Mapping[str, Mapping[str, Any]] = step.get("detailedDiff") or {}
    replacing = [path for path, diff in detailed.items() if "replace" in str(diff.get("diffKind"))]
    return sorted(replacing or step.get("keys") or step.get("diffs") or ())


def _taken(resource: Resource, action: str, causes: Sequence[str]) -> Finding | None:
    name, fate = resource.name, _FATES[action, resource.kept]
    barred = action == "replace" and resource.kept and facts.named(resource.type)
    if bucket := data.emptied(resource.type, name):
        name = bucket
    elif data.opens_backups(resource.type, name):
        fate = _NO_KEY
    elif data.opens_data(resource.type, name) and action == "replace":
        fate = _NEW_PASSWORD
    elif not resource.holds_data:
        return None
    elif barred:
        fate = _IN_THE_WAY
    return Finding(action, name, resource.place, fate, _cause(name, causes), barred)


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
    was, will = (_part(step.get(state), "outputs") for state in ("old", "new"))
    found: list[Finding] = []
    for output, (name, keys) in _PLACES.items():
        old, new = was.get(output), will.get(output)
        if not isinstance(old, str) or not isinstance(new, str) or new == _UNKNOWN:
            continue
        # What lies in a directory that is taken itself is named with it.
        is_same = _plain(output, old) == _plain(output, new)
        if is_same or any(place.startswith("/") and place in old for place in moved):
            continue
        fate = f"the server leaves it, and goes on with what is at {new}"
        found.append(Finding("replace", name, old, fate, f"changed: {keys}"))
    return found


def _part(state: Mapping[str, Any] | None, part: str) -> Mapping[str, Any]:
    return (state or {}).get(part) or {}


def _plain(output: str, uri: str) -> str:
    """An address of a store: of a database whichever driver and login lead to it."""
    return _DATABASE.sub(r"\1://\2", uri) if output == "backend_store" else uri.rstrip("/")


def lines(findings: Iterable[Finding], head: str) -> list[str]:
    """What an update takes, for a person, under ``head``. Pure."""
    told = [head]
    for finding in findings:
        told.append(f"  {finding.name} ({finding.place})")
        told += [f"      {finding.fate}", f"      {finding.cause}"]
    return told
