"""Waits until a container is well, and says at once why one is not.

The provider's own wait says nothing but that it was in vain, after all of its time, and is not
done for a container that is started again.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi_docker as docker
from pulumi import ResourceOptions
from pulumi.dynamic import ReadResult, Resource

from infra.clouds.shared.dynamic import DynamicProvider, Props
from infra.clouds.shared.this_machine import docker_command

_LOOK_AGAIN_SECONDS = 0.5
# One without a health check is well when it has run for so long.
_STEADY_SECONDS = 3
# A health check that failed fails until the next one: what it lacked may just have come back.
_GRACE_SECONDS = 15
_LINES = 20


@dataclass(frozen=True)
class Look:
    """A container at one moment. ``failure`` is why waiting longer is in vain, empty where it is
    not; one that ``may_pass`` counts only when it lasts. ``restarts`` counts how often Docker
    started it again.
    """

    is_well: bool
    restarts: int
    failure: str = ""
    may_pass: bool = False


def judge(inspected: Mapping[str, Any], restarts_before: int | None) -> Look:
    """What `docker inspect` says of a container. Pure.

    ``restarts_before`` is the count when the waiting began, None at the first look.
    """
    state: Mapping[str, Any] = inspected["State"]
    restarts = int(inspected.get("RestartCount", 0))
    check: Mapping[str, Any] = state.get("Health") or {}
    health = str(check.get("Status", "none"))
    runs = bool(state["Running"]) and not state.get("Restarting")
    before = restarts if restarts_before is None else restarts_before
    # After a reboot all start at once, and one may have to try again.
    too_often = restarts > before + (1 if before else 0)
    failure = ""
    if too_often or (state.get("Restarting") and not before):
        failure = f"ended with exit code {state['ExitCode']}, and Docker starts it again and again"
    elif not runs and not state.get("Restarting"):
        failure = f"ended with exit code {state['ExitCode']}"
        if state.get("Error"):
            failure += f" ({state['Error']})"
    elif runs and health == "unhealthy":
        return Look(False, restarts, "runs, but its health check fails", may_pass=True)
    is_well = runs and not failure and health in ("healthy", "none")
    return Look(is_well, restarts, failure)


class AwaitedProvider(DynamicProvider):
    """Of Awaited."""

    place = "name"
    replaced_by = frozenset()

    def apply(self, props: Props) -> Props:
        name, seconds = str(props["name"]), float(props["seconds"])
        deadline = time.monotonic() + seconds
        restarts: int | None = None
        steady_since: float | None = None
        failing_since: float | None = None
        while True:
            inspected = docker_command.inspect(str(props["container"]))
            if inspected is None:
                raise RuntimeError(f"{name} is gone; run `up` again")
            look = judge(inspected, restarts)
            restarts = look.restarts if restarts is None else restarts
            now = time.monotonic()
            failing_since = (failing_since or now) if look.failure else None
            grace = _GRACE_SECONDS if look.may_pass else 0
            if failing_since and now - failing_since >= grace:
                raise RuntimeError(_told(name, look.failure))
            steady_since = (steady_since or now) if look.is_well else None
            has_check = "Health" in inspected["State"]
            if steady_since and (has_check or now - steady_since >= _STEADY_SECONDS):
                return {}
            if now > deadline:
                raise RuntimeError(_told(name, f"is not healthy after {seconds:g} s"))
            time.sleep(_LOOK_AGAIN_SECONDS)

    def drifted(self, props: Props) -> bool:
        try:
            inspected = docker_command.inspect(str(props["container"]))
        except RuntimeError:
            # The daemon does not answer, which others say.
            return False
        return inspected is None or not judge(inspected, None).is_well

    def remove(self, props: Props) -> None:
        return

    def read(self, id_: str, props: Props) -> ReadResult:
        # Whether it is well is looked at in every update, and no drift of the stack.
        return ReadResult(id_=id_, outs=props)


class Awaited(Resource, module="trackstack", name="AwaitedContainer"):
    """Inputs: the ID of a ``container``, its ``name``, and for how many ``seconds`` it may take."""

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        super().__init__(AwaitedProvider(), name, props, opts)


def awaited(container: docker.Container, name: str, seconds: int, opts: ResourceOptions) -> Awaited:
    """What is there once the stack's container ``name`` is well."""
    props = {"container": container.id, "name": container.name, "seconds": seconds}
    # Not of the provider that makes containers.
    return Awaited(f"{name}-awaited", props, ResourceOptions(parent=opts.parent))


def _told(name: str, what: str) -> str:
    said = docker_command.last_lines(name, _LINES) or "(nothing)"
    return (
        f"the container {name} {what}. What it said last:\n{said}\n"
        f"Put right what it names, and run `up` again. All that it said: docker logs {name}"
    )
