"""The report as one HTML page that loads nothing from elsewhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from runtime.retention.report_line import Line, human_bytes

_WIDTH, _ROW, _LABEL, _VALUE = 900, 26, 260, 190
_MOST_BARS = 40
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:960px;padding:0 1rem;
color:#1c2733;background:#fff}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dde3ea}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto}svg text{font:13px system-ui,sans-serif;fill:currentColor}
@media(prefers-color-scheme:dark){body{background:#12181f;color:#dde5ee}
th,td{border-color:#2c3a48}}
"""


@dataclass(frozen=True)
class Bar:
    """What is stale in one experiment."""

    experiment: str
    entities: int
    bytes: int
    oldest_days: int


def bars(lines: Iterable[Line]) -> list[Bar]:
    """By experiment, the largest first; models have none and are under their own heading. Pure."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.experiment or "registered models", []).append(line)
    found = [
        Bar(name, len(group), sum(one.bytes or 0 for one in group), max(o.age_days for o in group))
        for name, group in groups.items()
    ]
    return sorted(found, key=lambda bar: (-bar.bytes, -bar.oldest_days, bar.experiment))


def _short(text: str, most: int = 34) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _hue(share: float) -> int:
    """From green (young) to red (old)."""
    return round(140 * (1 - share))


def chart(given: Sequence[Bar]) -> str:
    """An SVG: a bar's length is its size, its colour its age. Pure."""
    shown = given[:_MOST_BARS]
    largest = max((bar.bytes for bar in shown), default=0) or 1
    oldest = max((bar.oldest_days for bar in shown), default=0) or 1
    room, parts = _WIDTH - _LABEL - _VALUE, list[str]()
    for number, bar in enumerate(shown):
        y, width = number * _ROW, max(2, round(room * bar.bytes / largest))
        value = f"{human_bytes(bar.bytes)}, {bar.oldest_days} days"
        parts.append(
            f"<g><title>{escape(bar.experiment)}: {bar.entities} entities</title>"
            f'<text x="{_LABEL - 8}" y="{y + 17}" text-anchor="end">'
            f"{escape(_short(bar.experiment))}</text>"
            f'<rect x="{_LABEL}" y="{y + 4}" width="{width}" height="{_ROW - 8}" rx="3" '
            f'fill="hsl({_hue(bar.oldest_days / oldest)} 60% 48%)"/>'
            f'<text x="{_LABEL + width + 8}" y="{y + 17}">{value}</text></g>'
        )
    height = max(1, len(shown)) * _ROW
    label = "Size of what is stale, by experiment; the redder, the older"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" '
        f'viewBox="0 0 {_WIDTH} {height}">{"".join(parts)}</svg>'
    )


def page(lines: Sequence[Line], now: datetime, server: str) -> str:
    """The whole page. Pure."""
    total = human_bytes(sum(line.bytes or 0 for line in lines))
    all_bars = bars(lines)
    more = len(all_bars) - _MOST_BARS
    rows = "".join(
        f"<tr><td>{escape(line.kind)}</td><td>{escape(line.name)}</td>"
        f'<td>{escape(line.experiment)}</td><td class="n">{line.age_days}</td>'
        f'<td class="n">{human_bytes(line.bytes) if line.kind == "run" else ""}</td></tr>'
        for line in lines
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Stale in {escape(server)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{len(lines)} stale entities, {total} of artifacts</h1>"
        f"<p>{escape(server)}, {now:%Y-%m-%d %H:%M} UTC. <code>trackstack prune</code> deletes "
        "them.</p><h2>Size by experiment</h2><p>The redder, the older its oldest entity.</p>"
        f"{chart(all_bars)}"
        f"{f'<p>and {more} smaller ones</p>' if more > 0 else ''}"
        "<h2>All</h2><table><thead><tr><th>Kind</th><th>Name</th><th>Experiment</th>"
        '<th class="n">Age (days)</th><th class="n">Size</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></body></html>\n"
    )
