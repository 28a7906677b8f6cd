"""Settings -> plan: what exists, where and how large. Pure; knows no pulumi and no machine."""

from collections.abc import Callable
from typing import Any

from infra.plan.azure import AzurePlan, plan_azure
from infra.plan.docker import DockerPlan, plan_docker
from infra.plan.local import LocalPlan, plan_local
from infra.plan.oci import OciPlan, plan_oci
from infra.plan.place import Place
from infra.settings import Azure, Local, LocalContainer, Oci, Settings

Plan = LocalPlan | DockerPlan | AzurePlan | OciPlan

_PLANNERS: dict[type[Settings], Callable[[Any, Place], Plan]] = {
    Local: plan_local,
    LocalContainer: plan_docker,
    Azure: plan_azure,
    Oci: plan_oci,
}


def make_plan(settings: Settings, place: Place) -> Plan:
    """Decide everything that the stack file leaves open.

    Raises StackError where a key cannot be met in this place.
    """
    return _PLANNERS[type(settings)](settings, place)
