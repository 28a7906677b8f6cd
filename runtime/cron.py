"""Five-field cron expressions, in UTC, as crontab(5) reads them."""

from datetime import datetime

from croniter import CroniterBadCronError, CroniterBadDateError, croniter

ALLOWED = 'five fields "minute hour day month weekday", such as "*/10 * * * *" or "0 0 * * *"'


def check_schedule(expression: str) -> str:
    """Return ``expression`` as it is, or raise ValueError where it is not five-field cron."""
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
