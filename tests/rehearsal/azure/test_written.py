"""The alert of a dead server, of each compute: what it counts, and what comes to where it looks."""

from typing import Any

import pytest

from infra.rehearsal.azure.compute.written import is_taken
from infra.rehearsal.azure.observability import fires
from infra.rehearsal.provider.values import Props
from runtime.health import SIGN_OF_LIFE
from tests.infra.clouds.azure.stacks import CONTAINER, SCALE, VM, one, stack

pytestmark = pytest.mark.slow

_TOLD = {"alertEmail": "operators@example.com"}


@pytest.mark.parametrize(
    ("compute", "table"),
    [
        (CONTAINER, "ContainerInstanceLog_CL"),
        (SCALE, "ContainerAppConsoleLogs_CL"),
        (VM, "Syslog"),
    ],
)
def test_it_fires_where_others_write_and_the_server_does_not(
    compute: dict[str, Any], table: str
) -> None:
    rule: Props = one(stack(compute, _TOLD), ":ScheduledQueryRule", "server-down").inputs
    assert fires(rule, {})
    assert fires(rule, {table: ["gc: done in 1.2 s"], "Heartbeat": [SIGN_OF_LIFE]})
    assert not fires(rule, {table: ["gc: done in 1.2 s", SIGN_OF_LIFE]})


def test_what_a_service_says_is_taken_of_a_machine_s_journal() -> None:
    rule: Props = one(stack(VM, _TOLD), ":DataCollectionRule").inputs
    # As systemd writes what a service prints.
    assert is_taken({"SYSLOG_FACILITY": "3", "PRIORITY": "6", "MESSAGE": SIGN_OF_LIFE}, rule)
    assert not is_taken({"SYSLOG_FACILITY": "0", "PRIORITY": "6"}, rule)
    assert not is_taken({"SYSLOG_FACILITY": "3", "PRIORITY": "7"}, rule)
    assert not is_taken({"MESSAGE": SIGN_OF_LIFE}, rule)
