"""The schedules: `trackstack scheduler` under the supervisor runs gc and prune."""

from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import Resource

from infra.clouds.local import supervisor
from infra.clouds.shared.dynamic import DynamicProvider, Props


class _SchedulerProvider(DynamicProvider):
    def apply(self, props: Props) -> Props:
        supervisor.set_program(props["data_dir"], "scheduler", props["environment"])
        return {}

    def remove(self, props: Props) -> None:
        supervisor.remove_program(props["data_dir"], "scheduler")

    def drifted(self, props: Props) -> bool:
        state = supervisor.program_state(props["data_dir"], "scheduler")
        return state not in ("RUNNING", "STARTING")


class Scheduler(Resource, module="trackstack", name="LocalScheduler"):
    """Inputs: ``data_dir``, ``environment``, and ``version`` and ``backend_store``, whose change
    restarts the scheduler.
    """

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        super().__init__(_SchedulerProvider(), name, props, opts)
