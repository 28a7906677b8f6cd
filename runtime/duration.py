"""Ages in the form that ``mlflow gc --older-than`` takes."""

import re
from datetime import timedelta

_FORM = re.compile(
    r"^((?P<days>[.\d]+?)d)?((?P<hours>[.\d]+?)h)?((?P<minutes>[.\d]+?)m)?((?P<seconds>[.\d]+?)s)?$"
)
ALLOWED = "days, hours, minutes and seconds in that order, such as 30d0h0m0s, 12h or 1.5d"


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
