"""The services beside the server, under the supervisor: the scheduler, which runs the jobs."""

from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import Resource

from infra.clouds.local import supervisor
from infra.clouds.shared.dynamic import DynamicProvider, Props

_SCHEDULER = "scheduler"


def _name(props: Props) -> str:
    # Schedulers of stacks that are up do not say it.
    return props.get("program", _SCHEDULER)


class _SchedulerProvider(DynamicProvider):
    """Of any service; states name it by the one that was there first."""

    replaced_by = frozenset({"data_dir", "program"})

    def apply(self, props: Props) -> Props:
        command = props.get("command", [_SCHEDULER])
        supervisor.set_program(props["data_dir"], _name(props), props["environment"], command)
        return {}

    def remove(self, props: Props) -> None:
        supervisor.remove_program(props["data_dir"], _name(props))

    def drifted(self, props: Props) -> bool:
        state = supervisor.program_state(props["data_dir"], _name(props))
        return state not in ("RUNNING", "STARTING")


class Scheduler(Resource, module="trackstack", name="LocalScheduler"):
    """Inputs: ``data_dir``, ``environment``, and ``version``, ``code`` and ``backend_store``, whose
    change restarts it; of another service than the scheduler, also ``program``, its name, and
    ``command``, what follows `trackstack`.
    """

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        super().__init__(_SchedulerProvider(), name, props, opts)
