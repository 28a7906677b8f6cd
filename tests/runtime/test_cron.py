from datetime import datetime, timezone

import pytest

from runtime.cron import calendars, check_schedule, last_time, next_time

_NOON_FRIDAY = datetime(2026, 11, 20, 12, 3, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("*/10 * * * *", datetime(2026, 11, 20, 12, 10, tzinfo=timezone.utc)),
        ("0 0 * * *", datetime(2026, 11, 21, tzinfo=timezone.utc)),
        # In cron 0 and 7 are Sunday.
        ("0 6 * * 0", datetime(2026, 11, 22, 6, tzinfo=timezone.utc)),
        ("0 6 * * 7", datetime(2026, 11, 22, 6, tzinfo=timezone.utc)),
        ("0 6 * * mon", datetime(2026, 11, 23, 6, tzinfo=timezone.utc)),
    ],
)
def test_the_next_time_is_the_one_that_cron_means(schedule: str, due: datetime) -> None:
    assert next_time(check_schedule(schedule), _NOON_FRIDAY) == due


@pytest.mark.parametrize(
    "schedule", ["", "hourly", "@daily", "* * * *", "* * * * * *", "60 * * * *", "0 0 31 2 *"]
)
def test_what_is_no_five_field_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match="is not a schedule"):
        check_schedule(schedule)


@pytest.mark.parametrize(
    ("schedule", "as_timer"),
    [
        ("*/20 * * * *", ["*-*-* *:0,20,40:00 UTC"]),
        ("0 0 * * *", ["*-*-* 0:0:00 UTC"]),
        ("5 4 1,15 jan-mar *", ["*-1,2,3-1,15 4:5:00 UTC"]),
        ("0 6 * * mon-wed", ["Mon,Tue,Wed *-*-* 6:0:00 UTC"]),
        ("0 6 * * 7", ["Sun *-*-* 6:0:00 UTC"]),
        # In cron, either is enough.
        ("0 6 1 * fri", ["*-*-1 6:0:00 UTC", "Fri *-*-* 6:0:00 UTC"]),
    ],
)
def test_a_timer_is_due_when_cron_is(schedule: str, as_timer: list[str]) -> None:
    assert calendars(schedule) == as_timer


@pytest.mark.parametrize(
    ("at", "due"),
    [("12:20:00", "12:20:00"), ("12:20:01", "12:20:00"), ("12:39:59", "12:20:00")],
)
def test_what_is_due_now_was_due_last(at: str, due: str) -> None:
    moment = datetime.fromisoformat(f"2026-11-20T{at}+00:00")
    assert last_time("*/20 * * * *", moment).strftime("%H:%M:%S") == due


@pytest.mark.parametrize("schedule", ["0 0 L * *", "0 0 * * 5#2"])
def test_what_a_timer_cannot_say_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match="timers cannot say"):
        calendars(schedule)
