"""What a rehearsal found, for people and for machines."""

from dataclasses import dataclass, field
from typing import Any

import click

from infra.operations.cost import lines
from infra.rehearsal.timing import short


@dataclass
class Report:
    """All times in seconds. ``left`` names what is left behind and should not be."""

    stack: str
    replaced: list[str] = field(default_factory=list[str])
    steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    critical_path: list[str] = field(default_factory=list[str])
    critical_seconds: float = 0
    up_seconds: float = 0
    graph: str = ""
    cost: dict[str, Any] = field(default_factory=dict[str, Any])
    kept: list[str] = field(default_factory=list[str])
    left: list[str] = field(default_factory=list[str])
    seconds: float = 0


def show(report: Report) -> None:
    """Print a report for people."""
    for replaced in report.replaced:
        click.echo(f"rehearsed with {replaced}")
    click.echo(f"\n{'resource':28} {'type':24} {'began':>7} {'took':>7}")
    for step in report.steps:
        click.echo(
            f"{step['name'][:28]:28} {short(step['type'])[:24]:24} "
            f"{step['began']:6.1f}s {step['seconds']:6.1f}s"
        )
    click.echo(f"\nup          {report.up_seconds} s")
    chain = " > ".join(report.critical_path)
    click.echo(f"waited for  {chain} ({report.critical_seconds} s)")
    cost = report.cost
    click.echo(f"cost        about {cost['dollars']} USD a month (list prices of {cost['date']})")
    for line in lines(cost):
        click.echo(f"            {line}")
    click.echo(f"graph       {report.graph}")
    click.echo("smoke test  passed; a second up changed nothing")
    kept = ", ".join(report.kept) or "nothing"
    click.echo(f"down        keeps {kept}; nothing else is left")
    click.echo(f"in all      {report.seconds} s")
