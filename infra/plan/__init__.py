"""Settings -> plan: what exists, where and how large. Pure; knows no pulumi and no machine."""

import importlib
from collections.abc import Mapping
from typing import ClassVar, Protocol, cast

from infra.plan.place import Place
from infra.plan.workloads import Workloads
from infra.settings import Settings


class Plan(Protocol):
    """What the plan of every kind of stack says; each kind's own stands in the module of its name.

    ``package`` is that of its settings.
    """

    package: ClassVar[str]

    @property
    def schedules(self) -> Mapping[str, str]: ...

    @property
    def version(self) -> str: ...

    @property
    def artifacts_destination(self) -> str: ...

    @property
    def backup_destination(self) -> str: ...

    @property
    def tracking_uri(self) -> str: ...

    @property
    def workloads(self) -> Workloads: ...


class _Planner(Protocol):
    def make_plan(self, settings: Settings, place: Place) -> Plan: ...


def make_plan(settings: Settings, place: Place) -> Plan:
    """Decide everything that the stack file leaves open.

    Raises StackError where a key cannot be met in this place.
    """
    planner = cast("_Planner", importlib.import_module(f"infra.plan.{settings.package}"))
    return planner.make_plan(settings, place)
