"""Ages in the form that ``mlflow gc --older-than`` takes, whole days, and the word for neither."""

import re
from datetime import timedelta

_FORM = re.compile(
    r"^((?P<days>[.\d]+?)d)?((?P<hours>[.\d]+?)h)?((?P<minutes>[.\d]+?)m)?((?P<seconds>[.\d]+?)s)?$"
)
ALLOWED = "days, hours, minutes and seconds in that order, such as 30d0h0m0s, 12h or 1.5d"
# Stands for a schedule on which nothing runs, and an age that nothing reaches.
NEVER = "never"
# A century: what is meant to be kept for longer is kept for ever.
MOST_DAYS = 36500


def parse_age(text: str) -> timedelta:
    """Read ``#d#h#m#s`` (floats allowed, any part may be missing).

    Raises ValueError where ``mlflow gc`` would, and for an empty text: an age that was meant
    and not given must not become "delete everything now".
    """
    match = _FORM.match(text)
    parts = {unit: number for unit, number in match.groupdict().items() if number} if match else {}
    try:
        numbers = {unit: float(number) for unit, number in parts.items()}
        if not numbers:
            raise ValueError
        return timedelta(**numbers)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not an age: {ALLOWED}") from None


def parse_days(value: object) -> int | None:
    """Whole days, 1 to MOST_DAYS; None for ``never``.

    Raises ValueError with what is allowed for anything else.
    """
    text = str(value).strip()
    if text == NEVER or value is None:
        return None
    # As many digits as MOST_DAYS has: Python refuses to read thousands of them.
    if text.isascii() and text.isdigit() and len(text) <= len(str(MOST_DAYS)):
        days = int(text)
        if 1 <= days <= MOST_DAYS:
            return days
    raise ValueError(f"must be whole days from 1 to {MOST_DAYS}, or {NEVER}")
