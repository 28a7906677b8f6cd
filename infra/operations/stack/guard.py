"""No update deletes or replaces what holds data, unless `DATA=` names it.

Before each `pulumi up` the engine's own plan is read: a preview of the very program.
(`pulumi up --plan` would hold the update to the preview, but is an experiment of the engine's that
refuses plans with values that are not known yet.)
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import click

from infra.clouds import data, facts
from infra.operations.stack import MistakeError, Preview, Resource, Stack, docker
from infra.operations.stack.findings import Finding, decide, lines, names_of
from infra.operations.stack.protection import lifted
from runtime.errors import UserError

_ALLOWANCE = re.compile(r"(replace|delete):[a-z0-9-]+")
_WAYS_AROUND = (
    "put the stack file back; or fill a stack that is made so from a backup of this one (make",
    "recover); or give the data up: an update with keepData: false alone, and this one after it",
)


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


def refuse(
    findings: Iterable[Finding], allowed: Collection[str], gone: Collection[str] = ()
) -> None:
    """Raise DataLossError where one of them is not allowed, or barred, and UserError where a cloud
    refuses one; say the others, and what is allowed in vain. ``gone`` are allowances of what is
    lost already.
    """
    findings = tuple(findings)
    takes = [finding for finding in findings if not finding.refused]
    there = [finding.allowance for finding in takes]
    if vain := told_in_vain(set(allowed).difference(gone), there):
        click.echo(f"{vain}; the update takes nothing by that name", err=True)
    stopped = [f for f in findings if f.barred or f.allowance not in allowed]
    for finding in findings:
        if finding not in stopped:
            click.echo(f"DATA={finding.allowance}: {finding.place} is {finding.fate}", err=True)
    if not stopped:
        return
    told: list[str] = []
    if refused := [f for f in stopped if f.refused]:
        told += lines(refused, "stopped: the cloud refuses this update; nothing was changed")
    if taken := [f for f in stopped if not f.refused]:
        head = "stopped: this update takes what holds data; nothing was changed"
        ways = _WAYS_AROUND if any(f.barred for f in taken) else _ways_out(takes)
        told += [*lines(taken, head), *ways]
    raise (DataLossError if taken else UserError)("\n".join(told))


def told_in_vain(allowed: Collection[str], there: Collection[str]) -> str:
    """What DATA= names that is not ``there``, and what it could name; empty where all is. Pure."""
    others = sorted(set(allowed) - set(there))
    could = f"it could name {', '.join(dict.fromkeys(there))}" if there else "nothing can be named"
    return f"DATA={','.join(others)}: {could}" if others else ""


def _ways_out(findings: Iterable[Finding]) -> list[str]:
    every = ",".join(dict.fromkeys(finding.allowance for finding in findings))
    return [
        "put the stack file back; or back up first (make run STACK=... ARGS=backup), and to have",
        "it go say",
        f"DATA={every}",
    ]


def protected(state: Sequence[Resource], allowed: Collection[str]) -> list[str]:
    """The URNs of what is protected and may be taken all the same. Pure."""
    return [one.urn for one in state if one.protected and not names_of(one).isdisjoint(allowed)]


def environment(state: Sequence[Resource]) -> dict[str, str]:
    """Variables that tell the program of an update about the stack that is up."""
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


def behind_state(events: Iterable[str]) -> list[str]:
    """The URNs of what a preview would update and others added to since: it goes wrong by a state
    that is not refreshed. Pure.
    """
    steps = (json.loads(event).get("resourcePreEvent", {}).get("metadata") for event in events)
    return [
        str(step["urn"])
        for step in steps
        if step and step.get("op") == "update" and facts.behind(str(step.get("type")))
    ]


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
    where that cannot be found out, or no Docker daemon answers that the stack needs, or has not the
    stack's volumes; nothing was changed then.
    """
    state = stack.resources()
    docker.require(None, state)
    gone = docker.require_data(state, allowed)
    with lifted(stack, protected(state, allowed), quiet=quiet) as done:
        # A stack that is not up has nothing to lose, and need not wait for a preview.
        if not any(resource.holds_data for resource in state):
            refuse((), allowed, gone)
        else:
            refreshing = [option for option in options if option == "--refresh"]
            preview, findings = look(stack, state, *refreshing)
            # What is protected makes the preview fail, and stands in its plan all the same.
            refuse(findings, allowed, gone)
            if preview.code:
                raise failed(preview)
            if (stale := behind_state(preview.events)) and not refreshing:
                targets = [word for urn in stale for word in ("--target", urn)]
                refresh = stack.run("refresh", "--yes", "--skip-preview", *targets, quiet=quiet)
                if refresh:
                    return refresh
                # What was behind may take more than what was looked at.
                refuse(look(stack, state := stack.resources())[1], allowed, gone)
        code, events = stack.update(*options, quiet=quiet, environment=environment(state))
        if not code:
            done()
    for build in docker.failed_builds(events) if code else ():
        click.echo(docker.told(build), err=True)
    return code
