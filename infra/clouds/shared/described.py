"""The user data of a virtual machine, with what only the cloud knows; the same on every cloud."""

from collections.abc import Callable, Mapping, Sequence

from pulumi import Input, Output

from infra.place import systemd_texts
from infra.plan import machine
from infra.plan.machine import Machine
from infra.plan.workloads import Workload


def described(
    image: Output[str],
    workloads: Sequence[Workload],
    environment: Callable[[Workload], Mapping[str, Input[str]]],
    secrets: Mapping[str, Output[str]],
    agent: Input[str] = "",
    trusted: str = "",
) -> Output[str]:
    """infra.plan.machine.description; the arguments are those of Machine, once they are known."""
    environments = {w.name: Output.all(**environment(w)) for w in workloads}
    return Output.all(image, Output.all(**environments), Output.all(**secrets), agent).apply(
        lambda known: machine.description(
            Machine(known[0], workloads, known[1], known[2], systemd_texts(), known[3], trusted)
        )
    )
