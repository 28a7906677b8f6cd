"""The status page's chart of how the store grows: an SVG of its own, by no script. Pure."""

from collections.abc import Sequence

from runtime.jobs.growth import Day

_WIDTH, _HEIGHT = 600, 120
_MIB = 1 << 20


def part(days: Sequence[Day]) -> str:
    """HTML: what there is today, and where there are two days at least, a line for each."""
    if not days:
        return ""
    first, last = days[0], days[-1]
    now = f"{last.runs} runs, a database of {last.bytes / _MIB:.1f} MiB on {last.day}"
    since = (
        f"; {last.runs - first.runs:+d} runs and {(last.bytes - first.bytes) / _MIB:+.1f} MiB "
        f"since {first.day}"
        if len(days) > 1
        else ""
    )
    told = f"<h2>Growth</h2>\n<p>{now}{since}</p>\n"
    if len(days) < 2:
        return told
    lines = "".join(
        f'<polyline points="{_points(days, [getattr(day, kind) for day in days])}" fill="none" '
        f'stroke="var(--{colour})" stroke-width="2"{dash} />'
        for kind, colour, dash in (
            ("bytes", "act", ""),
            ("runs", "soft", ' stroke-dasharray="6 4"'),
        )
    )
    return (
        f'{told}<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" role="img" '
        f'aria-label="{now}{since}" preserveAspectRatio="none" '
        f'style="border-bottom:1px solid var(--line);max-height:8rem">{lines}</svg>\n'
        "<p>The line is the database, the dashes are the runs, each from none to its most.</p>\n"
    )


def _points(days: Sequence[Day], values: Sequence[int]) -> str:
    """By the calendar, so that days without a row leave a slope and no jump."""
    span = max((days[-1].day - days[0].day).days, 1)
    most = max([*values, 1])
    return " ".join(
        f"{(day.day - days[0].day).days * _WIDTH / span:.1f},"
        f"{_HEIGHT - 4 - value * (_HEIGHT - 8) / most:.1f}"
        for day, value in zip(days, values, strict=True)
    )
