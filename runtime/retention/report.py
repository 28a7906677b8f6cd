"""`trackstack report`: what prune would delete, with age and size; changes nothing."""

import csv
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

import click

from runtime import settings as runtime_settings
from runtime.retention import inventory as tracking
from runtime.retention import plan
from runtime.retention.entities import Kind, Stale
from runtime.retention.find import find_stale, reach, say_of_never
from runtime.retention.inventory import Client
from runtime.retention.report_line import Line, human_bytes
from runtime.retention.report_page import page

_THREADS = 8


def _size(client: Client, entity: Stale) -> int | None:
    try:
        return tracking.artifact_bytes(client, entity)
    except Exception:
        # A size that cannot be read must not keep the report from being made.
        return None


def lines(client: Client, entities: Sequence[Stale], now: datetime, sizes: bool) -> list[Line]:
    """The report's lines; ``sizes`` are read a few at a time, each by requests of its own."""
    if not sizes:
        return [_line(entity, now, None) for entity in entities]
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(partial(_size, client), entities)
        return [_line(e, now, size) for e, size in zip(entities, found, strict=True)]


def _line(entity: Stale, now: datetime, size: int | None) -> Line:
    age = entity.age_days(now)
    return Line(entity.kind.value, entity.name, entity.key, entity.experiment, age, size)


def show(entities: Sequence[Stale], now: datetime, *, to_stderr: bool = False) -> None:
    """Print a table of ``entities``, without sizes."""
    _table([_line(entity, now, None) for entity in entities], False, to_stderr=to_stderr)


def _table(report: Sequence[Line], sizes: bool, *, to_stderr: bool = False) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE)
    for heading in ("Kind", "Name", "Experiment"):
        table.add_column(heading)
    for heading in ("Age (days)", *(["Size"] if sizes else [])):
        table.add_column(heading, justify="right")
    for line in report:
        size = human_bytes(line.bytes) if line.kind == Kind.RUN.value else ""
        cells = (line.kind, line.name, line.experiment, str(line.age_days))
        table.add_row(*map(Text, (*cells, *([size] if sizes else []))))
    console = Console(stderr=to_stderr)
    if report:
        console.print(table)
    total = human_bytes(sum(line.bytes or 0 for line in report))
    console.print(f"{len(report)} stale entities{f', {total} of artifacts' if sizes else ''}")


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
@click.option(
    "--sizes", is_flag=True, help="With the bytes of each run's artifacts, which takes long."
)
def command(form: str, as_json: bool, sizes: bool) -> None:
    """List what is stale, with age, and size where asked; change nothing.

    These are what prune would delete, and registered models and versions, which it deletes only
    with TRACKSTACK_PRUNE_REGISTRY=true. A page (html) has sizes always.

    Stale is what was not touched for MLFLOW_TRACKING_ENTITY_TTL days (30) and is not in use; see
    `trackstack prune --help`. Works with MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN, and
    fastest beside the backend store.

    \b
    Examples:
      trackstack report --sizes
      trackstack report --format html > stale.html
      MLFLOW_TRACKING_ENTITY_TTL=90 trackstack report --json
    """
    settings = runtime_settings.load()
    server = reach(settings)
    say_of_never(settings)
    entities = find_stale(server.source, server.now, settings.entity_ttl_days).stale
    sizes = sizes or form == "html"
    report = lines(server.client, entities, server.now, sizes)
    if as_json or form == "json":
        click.echo(json.dumps([line.__dict__ for line in report]))
    elif form == "csv":
        _csv(report)
    elif form == "html":
        click.echo(page(report, server.now, settings.tracking_uri), nl=False)
    else:
        _table(report, sizes)
        if left := plan.without_registry(entities, settings.prune_registry)[1]:
            click.echo(f"{len(left)} stale {plan.REGISTRY_STAYS}")
