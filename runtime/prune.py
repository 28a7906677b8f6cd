"""`trackstack prune`: delete what is stale and unused, through the tracking API."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import click

from runtime import settings as runtime_settings
from runtime import stale, tracking
from runtime.stale import Kind, Stale
from runtime.tracking import Client


@dataclass(frozen=True)
class Outcome:
    """Counts by kind, and what failed with the reason."""

    deleted: dict[str, int]
    failed: dict[str, str]


def apply(client: Client, entities: Sequence[Stale]) -> Outcome:
    """Delete all of them; one that fails stops no other."""
    deleted: Counter[str] = Counter({kind.value: 0 for kind in Kind})
    failed: dict[str, str] = {}
    for entity in entities:
        try:
            tracking.delete(client, entity)
        except Exception as error:
            failed[f"{entity.kind.value} {entity.key}"] = str(error)
        else:
            deleted[entity.kind.value] += 1
    return Outcome(dict(deleted), failed)


def _show(outcome: Outcome, dry_run: bool) -> None:
    counts = ", ".join(f"{number} {kind}s" for kind, number in outcome.deleted.items())
    click.echo(f"{'would delete' if dry_run else 'deleted'} {counts}")
    for what, reason in outcome.failed.items():
        click.echo(f"could not delete {what}: {reason}", err=True)


@click.command()
@click.option("--dry-run", is_flag=True, help="Count what would be deleted; delete nothing.")
@click.option("--limit", type=click.IntRange(min=1), help="Delete at most so many in this pass.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(dry_run: bool, limit: int | None, as_json: bool) -> None:
    """Delete what is stale and unused, through the API with URI and token.

    Stale is what was not touched for MLFLOW_TRACKING_ENTITY_TTL days (30), or for the days in its
    experiment's tag trackstack.ttl_days. In use, and kept, are: a version with an alias or in a
    stage, a registered model with a version that is kept, a run with a registered version, an
    experiment with a run that is kept, MLflow's experiment 0, and whatever has the tag
    trackstack.keep=true.

    Runs and experiments are deleted softly: until gc purges them (MLFLOW_TRACKING_GC_TTL) they can
    be restored. MLflow deletes registered models and versions for good; their artifacts stay with
    their runs. See first with `trackstack report`. Exits 1 where something could not be deleted.

    \b
    Examples:
      trackstack prune --dry-run
      trackstack prune --limit 1000 --json
    """
    settings = runtime_settings.load()
    client = tracking.connect(settings)
    now = datetime.now(timezone.utc)
    inventory = tracking.take_inventory(client)
    entities = stale.decide(inventory, now, settings.entity_ttl_days)[:limit]
    if dry_run:
        counts = Counter(entity.kind.value for entity in entities)
        outcome = Outcome({kind.value: counts[kind.value] for kind in Kind}, {})
    else:
        outcome = apply(client, entities)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, **outcome.__dict__}))
    else:
        _show(outcome, dry_run)
    if outcome.failed:
        raise SystemExit(1)
