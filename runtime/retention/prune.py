"""`trackstack prune`: delete what is stale and unused, through the tracking API."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone

import click

from runtime import settings as runtime_settings
from runtime.retention import inventory as tracking
from runtime.retention.inventory import Client
from runtime.retention.stale import Kind, Stale
from runtime.retention.usage import find_stale, say_of_never

# The server has few workers, and people use it meanwhile.
_THREADS = 8


@dataclass(frozen=True)
class Outcome:
    """Counts by kind, and what failed with the reason."""

    deleted: dict[str, int]
    failed: dict[str, str]


def runs_taken_along(entities: Iterable[Stale]) -> set[Stale]:
    """The runs of experiments that are to go as a whole. Pure."""
    given = list(entities)
    experiments = {entity.name for entity in given if entity.kind is Kind.EXPERIMENT}
    return {e for e in given if e.kind is Kind.RUN and e.experiment in experiments}


def apply(
    client: Client, entities: Sequence[Stale], told: Callable[[], None] = lambda: None
) -> Outcome:
    """Delete all of them, a few at a time; one that fails stops no other.

    Kind by kind, a model after its versions. MLflow deletes an experiment's runs with it, in one
    request. One that is gone already, by another hand or a pass that was killed, is what was
    wanted. ``told`` is called after each request.
    """
    deleted: Counter[str] = Counter({kind.value: 0 for kind in Kind})
    failed: dict[str, str] = {}

    def attempt(entity: Stale) -> str | None:
        try:
            tracking.delete(client, entity)
        except Exception as error:
            return None if tracking.is_gone(error) else str(error)
        finally:
            told()
        return None

    taken_along = runs_taken_along(entities)
    along = Counter(run.experiment for run in taken_along)
    with ThreadPoolExecutor(_THREADS) as pool:
        for kind in Kind:
            chosen = [e for e in entities if e.kind is kind and e not in taken_along]
            for entity, problem in zip(chosen, pool.map(attempt, chosen), strict=True):
                if problem is None:
                    deleted[kind.value] += 1
                    if kind is Kind.EXPERIMENT:
                        deleted[Kind.RUN.value] += along[entity.name]
                else:
                    failed[f"{kind.value} {entity.key}"] = problem
    return Outcome(dict(deleted), failed)


def _apply_with_progress(client: Client, entities: Sequence[Stale]) -> Outcome:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Pruning", total=len(entities))
        return apply(client, entities, lambda: progress.advance(task))


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
    experiment's tag trackstack.ttl_days; with never, nothing is, whatever a tag says. In use, and
    kept, are: a run that has not ended (RUNNING, SCHEDULED), and one that a metric, trace or model
    was logged to within that time, at whatever step; a run of unknown age, and one that a run that
    is kept is nested in; an experiment with a run that is kept, or with traces, logged
    models or evaluation datasets of that time; a run or logged model that a registered version was
    made of; a version with an alias or in a stage; a registered model with a version that is kept;
    MLflow's experiment 0; and whatever has the tag trackstack.keep=true.

    On schedule it only counts these, unless TRACKSTACK_PRUNE_ACTION=delete. By hand it deletes.

    Runs and experiments are deleted softly: until gc purges them (MLFLOW_TRACKING_GC_TTL) they can
    be restored. MLflow deletes registered models and versions for good; their artifacts stay with
    their runs. See first with `trackstack report`. What a server answers with 429 or 5xx is tried
    again with growing pauses. Exits 1 where something could not be deleted; a pass that was
    stopped is simply run again.

    \b
    Examples:
      trackstack prune --dry-run
      trackstack prune --limit 1000 --json
    """
    settings = runtime_settings.load()
    client = tracking.connect(settings)
    now = datetime.now(timezone.utc)
    say_of_never(settings)
    entities = find_stale(client, now, settings.entity_ttl_days)[:limit]
    if dry_run:
        counts = Counter(entity.kind.value for entity in entities)
        outcome = Outcome({kind.value: counts[kind.value] for kind in Kind}, {})
    else:
        outcome = _apply_with_progress(client, entities)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, **outcome.__dict__}))
    else:
        _show(outcome, dry_run)
    if outcome.failed:
        raise SystemExit(1)
