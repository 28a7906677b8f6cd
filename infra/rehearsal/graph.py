"""The resource graph as SVG: each column waits for those to its left."""

from collections.abc import Mapping
from html import escape
from itertools import pairwise

from infra.rehearsal.timing import Step, short

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 190, 44, 70, 16, 24
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#11171c}.kind{fill:#5f7281;font-size:10px}"
    "rect{fill:#fff;stroke:#8396a5}.slow rect{stroke:#c82d4c;stroke-width:2}"
    "path{fill:none;stroke:#c0cdd8}.slow-edge{stroke:#c82d4c;stroke-width:2}"
)


def columns(steps: list[Step], needs: Mapping[str, set[str]]) -> dict[str, int]:
    """URN -> column: one further to the right than all that it needs."""
    made = {step.urn for step in steps}
    found: dict[str, int] = {}

    def column(urn: str) -> int:
        if urn not in found:
            before = [column(other) for other in needs.get(urn, set()) if other in needs]
            # A component has no box: what is in it stands where the component would.
            found[urn] = max(before, default=-1) + (urn in made)
        return found[urn]

    return {urn: column(urn) for urn in made}


def svg(steps: list[Step], needs: Mapping[str, set[str]], slowest: list[Step]) -> str:
    """An SVG document; the critical path is red."""
    places, rows = columns(steps, needs), dict[int, int]()
    position: dict[str, tuple[int, int]] = {}
    for step in sorted(steps, key=lambda step: step.began):
        column = places[step.urn]
        row = rows[column] = rows.get(column, -1) + 1
        position[step.urn] = (
            _MARGIN + column * (_WIDTH + _GAP_X),
            _MARGIN + row * (_HEIGHT + _GAP_Y),
        )
    chain = [step.urn for step in slowest]
    on_chain = set(pairwise(chain))
    edges = [
        _edge(position[other], position[urn], slow=(other, urn) in on_chain)
        for urn in position
        for other in sorted(needs.get(urn, set()))
        if other in position
    ]
    boxes = [_box(step, position[step.urn], slow=step.urn in chain) for step in steps]
    width = max((x for x, _ in position.values()), default=0) + _WIDTH + _MARGIN
    height = max((y for _, y in position.values()), default=0) + _HEIGHT + _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f"<style>{_STYLE}</style>{''.join(edges)}{''.join(boxes)}</svg>\n"
    )


def _edge(start: tuple[int, int], end: tuple[int, int], *, slow: bool) -> str:
    x1, y1, x2, y2 = start[0] + _WIDTH, start[1] + _HEIGHT // 2, end[0], end[1] + _HEIGHT // 2
    middle = (x1 + x2) // 2
    kind = ' class="slow-edge"' if slow else ""
    return f'<path{kind} d="M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"/>'


def _box(step: Step, place: tuple[int, int], *, slow: bool) -> str:
    x, y = place
    kind = ' class="slow"' if slow else ""
    return (
        f'<g{kind}><rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
        f'<text x="{x + 10}" y="{y + 18}">{escape(step.name[:26])}</text>'
        f'<text class="kind" x="{x + 10}" y="{y + 34}">{escape(short(step.type))}, '
        f"{step.seconds:.1f} s</text></g>"
    )
