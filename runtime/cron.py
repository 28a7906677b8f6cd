"""Five-field cron expressions, in UTC, as crontab(5) reads them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from croniter import CroniterBadCronError, CroniterBadDateError, croniter

from runtime.duration import NEVER

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
ALLOWED = (
    'five fields "minute hour day month weekday", such as "*/10 * * * *" or "0 0 * * *", '
    f"or {NEVER}"
)


def check_schedule(expression: str) -> str:
    """Return ``expression`` as it is; raises ValueError where it is no five-field cron or NEVER."""
    if expression == NEVER:
        return expression
    if len(expression.split()) != 5:
        raise ValueError(f"{expression!r} is not a schedule: {ALLOWED}")
    try:
        croniter(expression).get_next()
    except (CroniterBadCronError, CroniterBadDateError, KeyError, ValueError) as error:
        raise ValueError(f"{expression!r} is not a schedule ({error}): {ALLOWED}") from None
    return expression


def next_time(expression: str, after: datetime) -> datetime:
    """The first moment after ``after`` (timezone-aware) at which ``expression`` is due."""
    due: datetime = croniter(expression, after).get_next(datetime)
    return due


def last_time(expression: str, at: datetime) -> datetime:
    """The last moment at which ``expression`` was due, ``at`` (timezone-aware) included."""
    due: datetime = croniter(expression, at + timedelta(seconds=1)).get_prev(datetime)
    return due


def calendars(expression: str) -> list[str]:
    """The expression as systemd's OnCalendar: two where a day may come by either of its fields.

    Raises ValueError for what systemd.time(7) cannot say: the last day of a month (``L``), and the
    second Friday (``5#2``).
    """
    (minutes, hours, days, months, weekdays), nth = croniter.expand(expression)
    if nth or "l" in [*days, *weekdays]:
        raise ValueError(f"{expression!r} has L or #, which timers cannot say: {ALLOWED}")
    at = f"{_listed(hours)}:{_listed(minutes)}:00 UTC"
    named = ",".join(_WEEKDAYS[int(day)] for day in weekdays if day != "*")
    by_day = f"*-{_listed(months)}-{_listed(days)} {at}"
    if not named:
        return [by_day]
    by_weekday = f"{named} *-{_listed(months)}-* {at}"
    return [by_weekday] if days == ["*"] else [by_day, by_weekday]


def _listed(values: Sequence[int | str]) -> str:
    return ",".join(str(value) for value in values)
