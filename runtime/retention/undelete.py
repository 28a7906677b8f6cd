"""`trackstack undelete`: bring back runs and experiments that prune, or anybody, deleted."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

import click

from runtime import settings as runtime_settings
from runtime.errors import UserError
from runtime.retention import inventory as tracking
from runtime.retention.entities import KEEP_TAG, Kind
from runtime.retention.inventory import PRUNED_TAG, Client, paged

_PAGE = 1000
_ANY_PASS = f"tags.`{PRUNED_TAG}` LIKE '%'"


@dataclass
class Outcome:
    """How many came back, by kind, and what did not with the reason."""

    restored: dict[str, int] = field(
        default_factory=lambda: {Kind.RUN.value: 0, Kind.EXPERIMENT.value: 0}
    )
    failed: dict[str, str] = field(default_factory=dict[str, str])


def moment(text: str) -> datetime:
    """A moment in UTC from ISO 8601: a date, or with a time as prune writes it.

    Raises UserError (exit code 2) for anything else.
    """
    try:
        # Python 3.10 knows no Z.
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise UserError(
            f"--since: {text!r} is no time: 2026-11-25, or 2026-11-25T00:00:00Z as prune says", 2
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _is_since(tags: Any, since: datetime) -> bool:
    try:
        return moment(tags.get(PRUNED_TAG, "")) >= since
    except UserError:
        # Whoever may write may have set the tag.
        return False


def pruned(client: Client, since: datetime) -> Iterator[tuple[Kind, str]]:
    """What passes of prune since then deleted, and is still deleted: experiments first.

    An experiment's runs come back with it.
    """
    from mlflow.entities import ViewType

    def experiments(view: Any, which: str = "") -> Iterator[Any]:
        return paged(
            lambda t: client.search_experiments(view, _PAGE, filter_string=which, page_token=t)
        )

    for experiment in experiments(ViewType.DELETED_ONLY, _ANY_PASS):
        if _is_since(experiment.tags, since):
            yield Kind.EXPERIMENT, experiment.experiment_id
    places = [experiment.experiment_id for experiment in experiments(ViewType.ACTIVE_ONLY)]
    for start in range(0, len(places), _PAGE):
        for run in _deleted_runs(client, places[start : start + _PAGE]):
            if _is_since(run.data.tags, since):
                yield Kind.RUN, run.info.run_id


def _deleted_runs(client: Client, places: Sequence[str]) -> Iterator[Any]:
    from mlflow.entities import ViewType

    return paged(
        lambda t: client.search_runs(
            list(places), _ANY_PASS, ViewType.DELETED_ONLY, _PAGE, page_token=t
        )
    )


def restore(client: Client, kind: Kind, key: str, keep: bool) -> None:
    """Bring one back without the pass's tag; with ``keep``, prune never takes it again."""
    if kind is Kind.EXPERIMENT:
        client.restore_experiment(key)
        tag, untag = client.set_experiment_tag, client.delete_experiment_tag
        tags = client.get_experiment(key).tags
    else:
        client.restore_run(key)
        tag, untag = client.set_tag, client.delete_tag
        tags = client.get_run(key).data.tags
    if PRUNED_TAG in tags:
        untag(key, PRUNED_TAG)
    if keep:
        tag(key, KEEP_TAG, "true")


def apply(chosen: Sequence[tuple[Kind, str]], bring_back: Callable[[Kind, str], None]) -> Outcome:
    """Bring back all of them; one that fails stops no other."""
    outcome = Outcome()
    for kind, key in chosen:
        try:
            bring_back(kind, key)
            outcome.restored[kind.value] += 1
        except Exception as error:
            outcome.failed[f"{kind.value} {key}"] = str(error)
    return outcome


def named(ids: Sequence[str]) -> list[tuple[Kind, str]]:
    """Experiments are numbers of at most 19 digits in MLflow, runs 32 hexadecimal digits. Pure."""
    return [(Kind.EXPERIMENT if len(i) < 20 and i.isdigit() else Kind.RUN, i) for i in ids]


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--since", metavar="TIME", help="All that passes of prune since then deleted.")
@click.option("--keep", is_flag=True, help=f"Tag them {KEEP_TAG}=true: prune leaves them alone.")
@click.option("--dry-run", is_flag=True, help="Count what would come back; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(
    ids: tuple[str, ...], since: str | None, keep: bool, dry_run: bool, as_json: bool
) -> None:
    """Bring back deleted runs and experiments, by their IDS or by when prune deleted them.

    Works until gc has purged them (MLFLOW_TRACKING_GC_TTL after they were deleted). An experiment
    comes back with all its runs, also those that were deleted one by one. Registered models and
    versions do not come back; a backup has them. What comes back is as old as it was: without
    --keep the schedule deletes it again once it stood in the reports for long enough. Exits 1
    where something did not come back.

    \b
    Examples:
      trackstack undelete --since 2026-11-25T00:00:00Z
      trackstack undelete --since 2026-11-25 --keep
      trackstack undelete 3 86c1bd5a7f0a4d6c9b1f8f5a3c2e1d00
    """
    if not ids and not since:
        raise UserError("name what is to come back: ids, or --since TIME", 2)
    from_then = moment(since) if since else None
    client = tracking.connect(runtime_settings.load())
    found = pruned(client, from_then) if from_then else ()
    chosen = list(dict.fromkeys([*named(ids), *found]))

    def bring_back(kind: Kind, key: str) -> None:
        if not dry_run:
            restore(client, kind, key, keep)

    outcome = apply(chosen, bring_back)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, **asdict(outcome)}))
    else:
        counts = ", ".join(f"{number} {kind}s" for kind, number in outcome.restored.items())
        click.echo(f"{'would bring back' if dry_run else 'brought back'} {counts}")
        for what, reason in outcome.failed.items():
            click.echo(f"could not bring back {what}: {reason}", err=True)
    if outcome.failed:
        raise SystemExit(1)
