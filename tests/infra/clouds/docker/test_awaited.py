"""When `up` goes on, and when it ends, by what Docker says of a container."""

from typing import Any

import pytest

from infra.clouds.docker.awaited import judge


def _inspected(
    health: str | None = None, *, restarts: int = 0, error: str = "", **state: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {"Running": True, "Restarting": False, "ExitCode": 0, **state}
    found["Error"] = error
    if health:
        found["Health"] = {"Status": health}
    return {"State": found, "RestartCount": restarts}


@pytest.mark.parametrize(
    ("inspected", "is_well"),
    [
        (_inspected("healthy"), True),
        (_inspected(), True),
        (_inspected("starting"), False),
        (_inspected("starting", restarts=3), False),
    ],
)
def test_a_container_is_well_when_it_runs_and_is_healthy(
    inspected: dict[str, Any], is_well: bool
) -> None:
    look = judge(inspected, inspected["RestartCount"])
    assert (look.is_well, look.failure) == (is_well, "")


@pytest.mark.parametrize(
    ("inspected", "before", "said"),
    [
        (_inspected("starting", restarts=1), 0, "again and again"),
        (_inspected(Restarting=True, ExitCode=1), 0, "exit code 1, and Docker starts it again"),
        (_inspected(Running=False, ExitCode=137), 0, "ended with exit code 137"),
        (_inspected(Running=False, ExitCode=128, error="no such mount"), None, "(no such mount)"),
        (_inspected("unhealthy"), 0, "its health check fails"),
        # After a reboot one more try is granted.
        (_inspected("starting", restarts=5), 4, ""),
        (_inspected("unhealthy", restarts=4, Restarting=True, ExitCode=1), 4, ""),
        (_inspected("starting", restarts=6), 4, "again and again"),
    ],
)
def test_what_waiting_longer_would_not_mend_ends_it(
    inspected: dict[str, Any], before: int | None, said: str
) -> None:
    look = judge(inspected, before)
    assert said in look.failure
    assert bool(said) == bool(look.failure)
    assert not look.is_well
