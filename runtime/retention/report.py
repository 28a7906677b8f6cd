"""`trackstack report`: what prune would delete, with age and size; changes nothing."""

import csv
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import partial

import click

from runtime import settings as runtime_settings
from runtime.retention import inventory as tracking
from runtime.retention.inventory import Client
from runtime.retention.report_line import Line, human_bytes
from runtime.retention.report_page import page
from runtime.retention.stale import Kind, Stale
from runtime.retention.usage import find_stale, say_of_never

_THREADS = 8


def _size(client: Client, entity: Stale) -> int | None:
    try:
        return tracking.artifact_bytes(client, entity)
    except Exception:
        # A size that cannot be read must not keep the report from being made.
        return None


def lines(client: Client, entities: Sequence[Stale], now: datetime) -> list[Line]:
    """The report's lines, sizes read a few at a time."""
    with ThreadPoolExecutor(_THREADS) as pool:
        sizes = list(pool.map(partial(_size, client), entities))
    return [
        Line(e.kind.value, e.name, e.key, e.experiment, e.age_days(now), size)
        for e, size in zip(entities, sizes, strict=True)
    ]


def _table(report: Sequence[Line]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for heading in ("Kind", "Name", "Experiment"):
        table.add_column(heading)
    for heading in ("Age (days)", "Size"):
        table.add_column(heading, justify="right")
    for line in report:
        size = human_bytes(line.bytes) if line.kind == Kind.RUN.value else ""
        table.add_row(line.kind, line.name, line.experiment, str(line.age_days), size)
    console = Console()
    if report:
        console.print(table)
    total = human_bytes(sum(line.bytes or 0 for line in report))
    console.print(f"{len(report)} stale entities, {total} of artifacts")


def _csv(report: Sequence[Line]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(["kind", "name", "id", "experiment", "age_days", "bytes"])
    for line in report:
        size = "" if line.bytes is None else line.bytes
        texts = (_no_formula(text) for text in (line.kind, line.name, line.id, line.experiment))
        writer.writerow([*texts, line.age_days, size])


def _no_formula(text: str) -> str:
    """A spreadsheet would run a name that begins like a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv", "html"]),
    default="table",
    help="html is one page with a chart, which loads nothing from elsewhere.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def command(form: str, as_json: bool) -> None:
    """List what prune would delete, with age and size; change nothing.

    Stale is what was not touched for MLFLOW_TRACKING_ENTITY_TTL days (30) and is not in use; see
    `trackstack prune --help`. Works through the API, with MLFLOW_TRACKING_URI and
    MLFLOW_TRACKING_TOKEN.

    \b
    Examples:
      trackstack report
      trackstack report --format html > stale.html
      MLFLOW_TRACKING_ENTITY_TTL=90 trackstack report --json
    """
    settings = runtime_settings.load()
    client = tracking.connect(settings)
    now = datetime.now(timezone.utc)
    say_of_never(settings)
    entities = find_stale(client, now, settings.entity_ttl_days)
    report = lines(client, entities, now)
    if as_json or form == "json":
        click.echo(json.dumps([line.__dict__ for line in report]))
    elif form == "csv":
        _csv(report)
    elif form == "html":
        click.echo(page(report, now, settings.tracking_uri), nl=False)
    else:
        _table(report)
