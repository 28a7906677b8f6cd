"""`trackstack prune`: delete what is stale and unused, through the tracking API."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

import click

from runtime import cron, duration
from runtime import settings as runtime_settings
from runtime.database.clock import moment
from runtime.database.lock import only_one
from runtime.errors import UserError
from runtime.retention import announcement, plan
from runtime.retention import inventory as tracking
from runtime.retention.entities import Kind, Stale, milliseconds
from runtime.retention.find import Server, find_stale, reach, say_of_never, still_stale
from runtime.retention.inventory import Client
from runtime.retention.report import show
from runtime.retention.store import notices
from runtime.settings import RuntimeSettings

# The server has few workers, and people use it meanwhile.
_THREADS = 8
# So many are looked at again and deleted at a time. What goes for good is looked at one by one.
_BATCH = {Kind.RUN: 100, Kind.EXPERIMENT: 10, Kind.MODEL_VERSION: 1, Kind.REGISTERED_MODEL: 1}
_UTC = "%Y-%m-%dT%H:%M:%SZ"


@dataclass
class Outcome:
    """Counts by kind, and what failed with the reason.

    ``waiting`` stand not long enough in the scheduled reports, ``used_again`` came into use while
    the pass ran, ``registry`` are stale registered models and versions that may not be deleted.
    ``coming`` are the counts of those that wait and go next on schedule, and when, ``at`` in UTC.
    """

    deleted: dict[str, int] = field(default_factory=lambda: {kind.value: 0 for kind in Kind})
    failed: dict[str, str] = field(default_factory=dict[str, str])
    waiting: int = 0
    used_again: int = 0
    registry: int = 0
    coming: dict[str, Any] | None = None


def apply(
    client: Client,
    entities: Sequence[Stale],
    pass_id: str,
    still: Callable[[Sequence[Stale]], Sequence[Stale]] = lambda entities: entities,
    told: Callable[[int], None] = lambda number: None,
) -> Outcome:
    """Delete all of them, a few at a time; one that fails stops no other.

    Kind by kind. MLflow deletes an experiment's runs with it, and a model's versions, in one
    request. Already deleted counts as success.
    ``still`` finds those that are stale now, right before they go; ``told`` is called with
    how many were looked at.
    """
    outcome = Outcome()

    def attempt(entity: Stale) -> str | None:
        try:
            tracking.delete(client, entity, pass_id)
        except Exception as error:
            return None if tracking.is_gone(error) else str(error)
        return None

    along = plan.taken_along(entities)
    with_others = {each for found in along.values() for each in found}
    with ThreadPoolExecutor(_THREADS) as pool:
        for kind in Kind:
            chosen = [e for e in entities if e.kind is kind and e not in with_others]
            for batch in _batches(chosen, _BATCH[kind]):
                stale = still(batch)
                outcome.used_again += len(batch) - len(stale)
                for entity, problem in zip(stale, pool.map(attempt, stale), strict=True):
                    if problem is None:
                        for gone in (entity, *along.get(entity, ())):
                            outcome.deleted[gone.kind.value] += 1
                    else:
                        outcome.failed[f"{kind.value} {entity.key}"] = problem
                told(len(batch))
    return outcome


def _batches(entities: Sequence[Stale], size: int) -> Iterable[Sequence[Stale]]:
    return (entities[start : start + size] for start in range(0, len(entities), size))


def _apply_with_progress(
    server: Server, entities: Sequence[Stale], pass_id: str, ttl_days: int
) -> Outcome:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Pruning", total=len(entities))
        return apply(
            server.client,
            entities,
            pass_id,
            lambda batch: still_stale(server.source, batch, server.now, ttl_days),
            lambda number: progress.advance(task, number),
        )


def _show(outcome: Outcome, dry_run: bool, pass_id: str) -> None:
    counts = ", ".join(f"{number} {kind}s" for kind, number in outcome.deleted.items())
    click.echo(f"{'would delete' if dry_run else 'deleted'} {counts}")
    if outcome.waiting:
        click.echo(f"{outcome.waiting} more do not yet stand long enough in the reports")
    if outcome.registry:
        click.echo(f"{outcome.registry} stale {plan.REGISTRY_STAYS}")
    if outcome.used_again:
        click.echo(f"{outcome.used_again} came into use meanwhile, and stay")
    for what, reason in outcome.failed.items():
        click.echo(f"could not delete {what}: {reason}", err=True)
    if not dry_run and sum(outcome.deleted.values()):
        click.echo(f"runs and experiments come back with: trackstack undelete --since {pass_id}")


def _may_ask(yes: bool, dry_run: bool) -> None:
    """Raise UserError where somebody would have to be asked and nobody is there."""
    if not yes and not dry_run and not sys.stdin.isatty():
        raise UserError(
            "prune asks before it deletes, and there is no terminal to ask on; "
            "--yes deletes without a question, --dry-run counts",
            2,
        )


def _is_wanted(entities: Sequence[Stale], server: Server) -> bool:
    show(entities, server.now, to_stderr=True)
    return click.confirm(f"Delete these {len(entities)}?", err=True)


@click.command()
@click.option("--dry-run", is_flag=True, help="Count what would be deleted; delete nothing.")
@click.option("--yes", is_flag=True, help="Delete without a question.")
@click.option("--limit", type=click.IntRange(min=1), help="Delete at most so many in this pass.")
@click.option(
    "--more-than-half", is_flag=True, help="Delete, this once, more than half of all runs, too."
)
@click.option(
    "--scheduled",
    is_flag=True,
    help="As the schedule does: note what is stale, and delete what was noted long enough ago.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(
    dry_run: bool,
    yes: bool,
    limit: int | None,
    more_than_half: bool,
    scheduled: bool,
    as_json: bool,
) -> None:
    """List what is stale and unused, ask, and delete it, through the API with URI and token.

    Stale is what was not touched for MLFLOW_TRACKING_ENTITY_TTL days (30), or for the days in its
    experiment's tag trackstack.ttl_days; with never, nothing is, whatever a tag says. In use, and
    kept, are: a run that has not ended (RUNNING, SCHEDULED), and one that a metric, trace, review
    or model was logged to within that time, at whatever step; a run of unknown age; a run that one
    that is kept is nested in, or was made from; an experiment with a run that is kept, with
    traces, reviews, logged models or evaluation datasets of that time, or that a prompt or another
    experiment's dataset points to; what a registered version was made of; a version with an alias
    or in a stage; a registered model with a version that is kept; MLflow's experiment 0; and
    whatever has, or holds a logged model with, the tag trackstack.keep=true. Beside the backend
    store (MLFLOW_BACKEND_STORE_URI) this is read there, elsewhere through the API, which does not
    tell who reviews traces, nor which runs had a model as their input. Each entity is looked at
    again right before it is deleted.

    Registered models and versions, which MLflow deletes for good, are deleted only with
    TRACKSTACK_PRUNE_REGISTRY=true. Runs and experiments are deleted softly: until gc purges them
    (MLFLOW_TRACKING_GC_TTL), `trackstack undelete` brings them back.

    On schedule it only counts these, unless TRACKSTACK_PRUNE_ACTION=delete; then it deletes what
    stood in every scheduled report for TRACKSTACK_PRUNE_NOTICE (7d), and was announced by a POST
    to TRACKSTACK_PRUNE_WEBHOOK, where that is set, as long ago. A pass that would take more
    than half of the live runs, where there are more than ten, stops and deletes nothing.

    What a server answers with 429 or 5xx is tried again with growing pauses. Exits 1 where
    something could not be deleted, 2 where nobody can be asked; a pass that was stopped is simply
    run again.

    \b
    Examples:
      trackstack prune
      trackstack prune --dry-run
      trackstack prune --yes --limit 1000 --json
    """
    settings = runtime_settings.load()
    _may_ask(yes, dry_run)
    server = reach(settings)
    say_of_never(settings)
    found = find_stale(server.source, server.now, settings.entity_ttl_days)
    pass_id = f"{server.now:{_UTC}}"
    entities, registry = plan.without_registry(found.stale, settings.prune_registry)
    of_schedule = noted(settings, server, entities, dry_run) if scheduled else None
    due = of_schedule.due if of_schedule else entities
    chosen = (entities if dry_run else due)[:limit]
    if dry_run:
        outcome = Outcome({kind.value: n for kind, n in plan.counts(chosen).items()})
    else:
        plan.check_share(chosen, found.live_runs, more_than_half)
        if chosen and not yes and not _is_wanted(chosen, server):
            raise UserError("nothing was deleted")
        days = settings.entity_ttl_days or 0
        outcome = _apply_with_progress(server, chosen, pass_id, days)
    outcome.waiting, outcome.registry = len(entities) - len(due), len(registry)
    if of_schedule and of_schedule.coming and not dry_run:
        outcome.coming = _told(of_schedule.coming)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "pass": pass_id, **asdict(outcome)}))
    else:
        _show(outcome, dry_run, pass_id)
    if outcome.failed:
        raise SystemExit(1)


def _told(coming: plan.Coming) -> dict[str, Any]:
    at = f"{moment(coming.at):{_UTC}}"
    return {"at": at, "counts": {k.value: n for k, n in coming.counts.items()}}


@dataclass(frozen=True)
class Noted:
    """Of a report's entities: those that may be deleted on schedule now, and what goes next."""

    due: list[Stale]
    coming: plan.Coming | None


def noted(
    settings: RuntimeSettings, server: Server, entities: Sequence[Stale], dry_run: bool
) -> Noted:
    """Note a report of ``entities``."""
    if server.store is None:
        if dry_run:
            return Noted([], None)
        raise UserError(
            "on schedule prune deletes only what it noted in the backend store days before, and "
            "finds none here; see MLFLOW_BACKEND_STORE_URI, or prune by hand",
            2,
        )
    now, notice = milliseconds(server.now), duration.parse_age(settings.prune_notice)
    webhook, where = settings.prune_webhook, settings.given_public_url or settings.tracking_uri

    def tell(anew: Sequence[Stale]) -> None:
        assert webhook  # noqa: S101 - asked below
        told = announcement.payload(anew, where, server.now, notice)
        announcement.announce(webhook.get_secret_value(), told)

    with only_one(server.store, "prune"):
        first = notices.note(server.store, entities, now)
        if webhook and not dry_run:
            # A report that deletes nothing tells nobody, and its notices are none to owners.
            known = notices.note_told(server.store, entities, now, tell)
            first = {entity: max(since, known[entity]) for entity, since in first.items()}
    wait = notice // timedelta(milliseconds=1)
    due = plan.due(entities, first, now, wait)
    gone = set(due)
    waiting = [entity for entity in entities if entity not in gone]
    return Noted(due, _coming(settings, waiting, first, wait))


def _coming(
    settings: RuntimeSettings, waiting: Sequence[Stale], first: Mapping[Stale, int], wait: int
) -> plan.Coming | None:
    expression = settings.prune_schedule
    if expression == duration.NEVER:
        return None

    def pass_after(ms: int) -> int:
        return milliseconds(cron.next_time(expression, moment(ms)))

    return plan.coming(waiting, first, wait, pass_after)
