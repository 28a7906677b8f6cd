"""The services beside the server, under the supervisor: the scheduler, which runs the jobs."""

import time
from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import Resource

from infra.clouds.local import supervisor
from infra.clouds.shared.dynamic import DynamicProvider, Props

_SCHEDULER = "scheduler"
# One that cannot start ends sooner.
_STEADY_SECONDS = 3


def _name(props: Props) -> str:
    # Schedulers of stacks that are up do not say it.
    return props.get("program", _SCHEDULER)


class _SchedulerProvider(DynamicProvider):
    """Of any service; states name it by the one that was there first."""

    replaced_by = frozenset({"data_dir", "program"})

    def apply(self, props: Props) -> Props:
        command = props.get("command", [_SCHEDULER])
        data_dir, name = str(props["data_dir"]), _name(props)
        supervisor.set_program(data_dir, name, props["environment"], command)
        steady = time.monotonic() + _STEADY_SECONDS
        while time.monotonic() < steady:
            if supervisor.program_state(data_dir, name) in ("BACKOFF", "FATAL", "ABSENT"):
                raise RuntimeError(
                    f"the {name} ended while it was starting; the end of its log:\n"
                    f"{supervisor.last_lines(data_dir, name)}"
                )
            time.sleep(0.2)
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
