"""`trackstack promote`: models from one registered name or server to another, with gates."""

import getpass
import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.metadata import entry_points

import click
from pydantic import SecretStr

from runtime import settings as runtime_settings
from runtime.errors import UserError
from runtime.promote import gates
from runtime.promote.lineage import parse_uri
from runtime.promote.model import Options, Outcome, find_version, promote
from runtime.retention import inventory as tracking
from runtime.settings import RuntimeSettings

_COMMANDS = "trackstack.promote"
_SAYS = {
    "copy": ("copied", "would copy"),
    "upload": ("carried over and checked", "would carry over"),
    "keep": ("has it already", "has it already"),
}


@contextmanager
def _told() -> Generator[None]:
    """Turn what the servers refuse into a line."""
    import requests
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        reason = str(error.message).strip().splitlines()[0]
        temporary = error.error_code in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE")
        raise UserError(
            f"{reason}; run it again, it goes on where it stopped" if temporary else reason,
            75 if temporary else 1,
        ) from None
    except (requests.RequestException, OSError) as error:
        raise UserError(f"{error}; run it again, it goes on where it stopped", 75) from None


def target_of(source: RuntimeSettings, to_uri: str | None) -> RuntimeSettings:
    """The settings of the server that is promoted to; another one needs a token of its own."""
    if not to_uri or to_uri.rstrip("/") == source.tracking_uri.rstrip("/"):
        return source
    if not to_uri.startswith(("http://", "https://")):
        raise UserError(f"--to-uri {to_uri!r}: must be an http:// or https:// address", 2)
    token: SecretStr | None = source.target_token
    return source.model_copy(
        update={
            "given_tracking_uri": to_uri.rstrip("/"),
            "tracking_token": token,
            "tracking_certificate": source.target_certificate,
        }
    )


def _connect_target(target: RuntimeSettings) -> None:
    try:
        tracking.connect(target)
    except UserError as error:
        text = str(error).partition("; see ")[0]
        raise UserError(
            f"{text}; see --to-uri and TRACKSTACK_TARGET_TOKEN (or _FILE)", error.exit_code
        ) from None


class _Group(click.Group):
    """Finds further commands by entry points: what drives the engine is not the runtime's."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *sorted(entry_points(group=_COMMANDS).names)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for found in entry_points(group=_COMMANDS, name=cmd_name):
            try:
                further: click.Command = found.load()
            except ModuleNotFoundError:
                return _elsewhere(cmd_name)
            return further
        return super().get_command(ctx, cmd_name)


def _elsewhere(name: str) -> click.Command:
    def refuse(arguments: tuple[str, ...]) -> None:
        raise UserError(f"{name} is promoted on the engineer's machine, in the project's folder", 2)

    return click.Command(
        name,
        callback=refuse,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        short_help="On the engineer's machine only.",
    )


@click.group(cls=_Group)
def command() -> None:
    """Promote model versions, and approve them; promote a deployment.

    A deployment is promoted on the engineer's machine, in the project's folder, in the environment
    of `. ./env`; `make promote FROM=dev TO=prod` is the same.

    \b
    Examples:
      trackstack promote approve models:/staging.fraud/1
      trackstack promote model models:/staging.fraud/1 prod.fraud --alias Champion
    """


_TO_URI = (
    "Another server; its token is TRACKSTACK_TARGET_TOKEN (or _FILE), and the authority of its "
    "certificate TRACKSTACK_TARGET_SERVER_CERT_PATH."
)


@command.command()
@click.argument("model_uri")
@click.argument("name")
@click.option("--alias", "aliases", multiple=True, help="Alias that the version gets there.")
@click.option("--to-uri", help=_TO_URI)
@click.option("--require-metric", "metrics", multiple=True, help="Such as 'auc>=0.9'.")
@click.option("--require-tag", "tags", multiple=True, help="Such as 'validation=passed'.")
@click.option("--require-approval", is_flag=True, help="See `trackstack promote approve`.")
@click.option("--by", default=getpass.getuser, help="Who promotes; the login name without it.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; change nothing.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def model(
    model_uri: str,
    name: str,
    aliases: tuple[str, ...],
    to_uri: str | None,
    metrics: tuple[str, ...],
    tags: tuple[str, ...],
    require_approval: bool,
    by: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make MODEL_URI a version of the registered model NAME, here or on another server.

    Within one server the version is copied. To another one its files are carried, byte for byte,
    and read back; both versions then say the same digest. The new version's tags
    trackstack.promotion.* tell server, source, run, digest, who and when.

    Run twice it changes nothing but the alias; interrupted and run again, it goes on. The model
    is held once on the disk under TMPDIR. Exits 1 where a gate is not fulfilled, 75 where running
    it again may help.

    \b
    Examples:
      trackstack promote model models:/staging.fraud/1 prod.fraud --alias Champion
      trackstack promote model models:/fraud@Challenger fraud --to-uri https://prod.example.org \\
          --require-metric 'auc>=0.9' --require-approval --alias Champion --json
    """
    source = runtime_settings.load()
    conditions: list[gates.Gate] = [
        *map(gates.parse_metric, metrics),
        *map(gates.parse_tag, tags),
        *([gates.Approval()] if require_approval else []),
    ]
    options = Options(parse_uri(model_uri), name, aliases, conditions, by)
    target = target_of(source, to_uri)
    tracking.connect(source)
    if target is not source:
        _connect_target(target)
    with _told():
        outcome = promote(source, target, options, dry_run)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, **outcome.as_json()}))
    else:
        _show(outcome, dry_run)
    if outcome.action == "refuse":
        raise SystemExit(1)


def _show(outcome: Outcome, dry_run: bool) -> None:
    for verdict in outcome.gates:
        click.echo(f"{'ok ' if verdict.passed else 'NOT'} {verdict.gate}: {verdict.found}")
    if outcome.action == "refuse":
        click.echo(f"trackstack: {outcome.source} is not promoted", err=True)
        return
    number = f" version {outcome.version}" if outcome.version else ""
    click.echo(
        f"{outcome.name}{number} at {outcome.server}: {_SAYS[outcome.action][dry_run]} "
        f"({outcome.files} files, {outcome.bytes} bytes, {outcome.digest})"
    )
    if outcome.aliases:
        click.echo(f"{'would be' if dry_run else 'is'} {', '.join(outcome.aliases)}")


@command.command()
@click.argument("model_uri")
@click.option("--by", default=getpass.getuser, help="Who decides; the login name without it.")
@click.option("--comment", default="", help="Why.")
@click.option("--reject", is_flag=True, help="Say no instead.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def approve(model_uri: str, by: str, comment: str, reject: bool, as_json: bool) -> None:
    """Approve MODEL_URI for promotion, or reject it.

    Sets the version's tag trackstack.approval, which `promote model --require-approval` asks for,
    and which MLflow tells by its webhook model_version_tag.set. Whoever has a token with the role
    write can set it: the audit log says whose token it was.

    \b
    Examples:
      trackstack promote approve models:/staging.fraud/1
      trackstack promote approve models:/staging.fraud/1 --reject --comment "drifts on new data"
    """
    settings = runtime_settings.load()
    tracking.connect(settings)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    decision = gates.Decision("rejected" if reject else "approved", by, now, comment)
    with _told(), tracking.entered(settings) as client:
        version = find_version(client, parse_uri(model_uri))
        client.set_model_version_tag(
            version.name, version.version, gates.APPROVAL_TAG, decision.as_tag()
        )
    told = {"name": version.name, "version": str(version.version), **decision.__dict__}
    if as_json:
        click.echo(json.dumps(told))
    else:
        click.echo(f"models:/{version.name}/{version.version}: {decision.verdict} by {by}")
