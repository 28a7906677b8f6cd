"""What `make up` says at the end of what is deleted, from the stack's outputs alone."""

import pytest

from infra.operations.status import deletions
from infra.plan.environment import retention
from infra.settings import parse
from runtime.jobs.schedules import schedules


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        (
            {},
            "what users deleted 30 days ago, every 10 minutes (gcTtl: never stops it); "
            "prune only reports (pruneAction: report)",
        ),
        (
            {"gcTtl": "12h", "gcSchedule": "0 3 * * 0", "pruneSchedule": "never"},
            "what users deleted 12h ago, at '0 3 * * 0' UTC (gcTtl: never stops it); "
            "prune never runs (pruneSchedule: never)",
        ),
        (
            {"pruneAction": "delete", "entityTtlDays": "90", "gcSchedule": "* * * * *"},
            "what users deleted 30 days ago, every minute (gcTtl: never stops it); "
            "what nobody used for 90 days, daily at 00:00 UTC (pruneAction: report stops it)",
        ),
        (
            {"gcTtl": "never", "pruneAction": "delete", "entityTtlDays": "never"},
            "nothing that users deleted (gcTtl: never); nothing is stale (entityTtlDays: never)",
        ),
        (
            {"gcSchedule": "*/45 * * * *", "gcTtl": "24h", "pruneSchedule": "never"},
            "what users deleted 1 day ago, at '*/45 * * * *' UTC (gcTtl: never stops it); "
            "prune never runs (pruneSchedule: never)",
        ),
        (
            {"gcSchedule": "never", "gcTtl": "1.5d"},
            "nothing that users deleted (gcSchedule: never); "
            "prune only reports (pruneAction: report)",
        ),
    ],
)
def test_one_line_says_what_is_deleted_when_and_how_to_stop_it(
    keys: dict[str, str], says: str
) -> None:
    settings = parse({"cloud": "local", **keys})
    outputs = {"schedules": schedules(settings), "retention": retention(settings)}
    assert deletions(outputs) == f"\nDeletes   {says}"


def test_a_stack_of_an_older_version_says_nothing_of_it() -> None:
    assert deletions({"schedules": {}}) == ""
