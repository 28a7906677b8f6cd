"""Settings -> plan: what exists, where and how large. Pure; knows no pulumi and no machine."""

from collections.abc import Callable
from typing import Any

from infra.plan.docker import DockerPlan, plan_docker
from infra.plan.local import LocalPlan, plan_local
from infra.plan.place import Place
from infra.settings import Local, LocalContainer, Settings

Plan = LocalPlan | DockerPlan

_PLANNERS: dict[type[Settings], Callable[[Any, Place], Plan]] = {
    Local: plan_local,
    LocalContainer: plan_docker,
}


def make_plan(settings: Settings, place: Place) -> Plan:
    """Decide everything that the stack file leaves open.

    Raises StackError where a key cannot be met in this place.
    """
    return _PLANNERS[type(settings)](settings, place)
