"""Texts of a container as the provider reads them back from the daemon. Pure.

It compares what the program sends with what it read, as texts: another one for the same value is
a change in every update, and of ``cpus`` a replacement.
"""


def duration(seconds: int) -> str:
    """Whole seconds as Go writes a time.Duration: ``2m0s``."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def cpus(count: float) -> str:
    """A number of CPUs: ``2.0``, ``1.25``, ``10.``.

    Of some (100.25) the provider reads back another number (100.3); those are a little more here.
    """
    for thousandths in range(10):
        asked = round(count + thousandths / 1000, 3)
        text = read_back(asked)
        if float(text) == asked:
            return text
    raise ValueError(f"{count} CPUs cannot be written")


def read_back(count: float) -> str:
    """As terraform-provider-docker's nanoInt64ToDecimalString writes it, its mistakes included."""
    text = f"{count:.9f}"
    return f"{count:.1f}" if text.count("0") == 9 else text.rstrip("0")
