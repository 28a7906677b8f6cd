"""`trackstack backup`: database and artifacts, to a directory or an artifact store.

A backup is a folder: each table's rows, the artifacts with a listing of their checksums, and at
last `manifest.json`; without that it is not complete and nobody restores it.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from runtime import settings as runtime_settings
from runtime.backup import drill
from runtime.errors import ALARM, UserError
from runtime.retention.report_line import human_bytes
from runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from runtime.artifacts.tree import Tree


def destination_of(ctx: click.Context, settings: RuntimeSettings) -> "Tree":
    """What `--to` and `--earlier` name, else the settings."""
    from runtime.backup import make

    to, earlier = ctx.obj
    return make.destination(settings, to, earlier)


@click.group(invoke_without_command=True)
@click.option("--to", metavar="URI", help="Default: TRACKSTACK_BACKUP_DESTINATION.")
@click.option(
    "--earlier",
    metavar="URI",
    help="Another place of the same store's backups; none is made there. Without --to: "
    "TRACKSTACK_EARLIER_BACKUPS.",
)
@click.option("--keep", type=click.IntRange(min=1), help="Default: TRACKSTACK_BACKUP_KEEP (7).")
@click.option("--keep-days", type=click.IntRange(min=1), help="Keep younger ones too.")
@click.option(
    "--alarm",
    type=click.IntRange(0, 100),
    metavar="PERCENT",
    help="Default: TRACKSTACK_BACKUP_ALARM (50); 0: never.",
)
@click.option("--no-artifacts", is_flag=True, help="The database alone.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write and delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def command(
    ctx: click.Context,
    to: str | None,
    earlier: str | None,
    keep: int | None,
    keep_days: int | None,
    alarm: int | None,
    no_artifacts: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Back up database and artifacts, while the server runs.

    The database is read as it is at one moment. URI is a directory or an artifact store that
    MLflow knows (wasbs://, s3://, oci://), not inside the artifacts themselves. Afterwards all but
    the newest --keep backups of the same store are deleted, and with --keep-days those younger are
    kept as well; those of the database alone are counted apart. Where rows or files are below
    --alarm percent of one of the last --keep backups, the new one is kept, nothing is deleted, and
    the exit code is 3; and no backup goes while newer ones hold less than that of it. The same
    backup restores to SQLite, PostgreSQL and MySQL: see `trackstack restore --help`.

    \b
    Examples:
      trackstack backup --to /backups --keep 7 --keep-days 30
      trackstack backup --to wasbs://backups@account.blob.core.windows.net/prod --json
      trackstack backup --to /backups list
      trackstack backup --to /backups verify
      trackstack backup --to /mnt/usb copy --from /backups
    """
    ctx.obj = (to, earlier)
    if ctx.invoked_subcommand:
        return
    from runtime.backup import make
    from runtime.backup.retention import Rule
    from runtime.database import identity
    from runtime.database.engine import open_engine

    settings = runtime_settings.load()
    tree = destination_of(ctx, settings)
    percent = settings.backup_alarm if alarm is None else alarm
    rule = Rule(keep or settings.backup_keep, keep_days, percent)
    if dry_run:
        store = identity.known(open_engine(settings))
        retired = make.retire(tree, store, rule, dry_run=True)
        if as_json:
            result: dict[str, object] = {"dry_run": True, "to": tree.uri}
            result |= {"delete": list(retired.deleted), "of_nobody": list(retired.of_nobody)}
            click.echo(json.dumps(result))
        else:
            what = (
                "the database"
                if no_artifacts
                else f"the database and {settings.artifacts_destination}"
            )
            deleted = list(retired.deleted) or "none"
            click.echo(f"would back up {what} to {tree.uri}, and delete {deleted}")
            _tell_of_nobody(retired.of_nobody)
        return
    done = make.back_up(settings, tree, with_artifacts=not no_artifacts, tell=_tell)
    retired = make.retire(tree, done.store, rule, just_made=done.name)
    files = done.artifacts.files if done.artifacts else 0
    if as_json:
        result = {"name": done.name, "to": tree.uri, "rows": done.rows, "files": files}
        result |= {"bytes": done.total_bytes, "outside": done.outside}
        result |= {"deleted": list(retired.deleted), "of_nobody": list(retired.of_nobody)}
        result |= {"outgrown": list(retired.outgrown), "alarm": retired.alarm}
        click.echo(json.dumps(result))
        _sound(retired.alarm)
        return
    size = human_bytes(done.total_bytes)
    click.echo(f"{tree.uri}/{done.name}: {done.rows} rows, {files} artifacts, {size}")
    if done.outside:
        click.echo(
            f"{done.outside} runs have artifacts outside of {settings.artifacts_destination}: "
            "they are not in the backup",
            err=True,
        )
    for name in retired.deleted:
        click.echo(f"deleted {name}")
    _tell_of_nobody(retired.of_nobody)
    if retired.outgrown and not retired.alarm:
        _tell(
            f"{len(retired.outgrown)} older backups stay since newer ones hold much less; delete "
            f"by hand those that nobody needs: {', '.join(retired.outgrown)}"
        )
    _sound(retired.alarm)


def _sound(alarm: str | None) -> None:
    """Raise UserError where there is an alarm: the backup is made, and somebody should look."""
    if alarm:
        raise UserError(alarm, ALARM)


def _tell(line: str) -> None:
    click.echo(f"trackstack: {line}", err=True)


def _tell_of_nobody(names: Sequence[str]) -> None:
    if names:
        click.echo(
            f"{len(names)} backups name no store, as those of an earlier version, miss files, or "
            "are encrypted with another key. They count for nothing and are never deleted here; "
            f"delete by hand those that nobody needs: {', '.join(names)}",
            err=True,
        )


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def list_command(ctx: click.Context, as_json: bool) -> None:
    """List the backups of a place, oldest first.

    \b
    Example:
      trackstack backup --to /backups list --json
    """
    from runtime.backup.format import manifest
    from runtime.backup.format.manifest import Manifest

    tree = destination_of(ctx, runtime_settings.load())
    found = manifest.names(tree)
    place = {name: tree.at(name).uri.rpartition("/")[0] for name in found}
    whole, unreadable = list[Manifest](), dict[str, str]()
    for name in (name for name, is_complete in found.items() if is_complete):
        try:
            whole.append(manifest.load(tree, name))
        except UserError as error:
            unreadable[name] = str(error)
    if as_json:
        incomplete = [name for name, is_complete in found.items() if not is_complete]
        told = [
            asdict(each) | {"bytes": each.total_bytes, "place": place[each.name]} for each in whole
        ]
        lists = {"backups": told, "incomplete": incomplete, "unreadable": unreadable}
        click.echo(json.dumps(lists))
        return
    for name, is_complete in found.items():
        where = "" if place[name] == tree.uri else f", in {place[name]}"
        if not is_complete:
            click.echo(f"{name}  not complete{where}")
            continue
        if name in unreadable:
            click.echo(f"{name}  cannot be read: {unreadable[name]}")
            continue
        of = next(each for each in whole if each.name == name)
        files = of.artifacts.files if of.artifacts else "no"
        size = human_bytes(of.total_bytes)
        held = f"{of.rows} rows, {files} artifacts, {size}"
        how = ", encrypted" if of.sealed else ""
        click.echo(f"{name}  MLflow {of.mlflow_version}, {held}{how}{where}")


@command.command("copy")
@click.argument("name", required=False)
@click.option("--from", "from_uri", required=True, metavar="URI", help="`-`: a tar from stdin.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def copy_command(ctx: click.Context, name: str | None, from_uri: str, as_json: bool) -> None:
    """Copy a backup from another place, and check it on its way.

    By default the newest that has artifacts. For a copy elsewhere, and for a stack that is to be
    recovered from it.

    \b
    Examples:
      trackstack backup --to /mnt/usb copy --from oci://backups@namespace/prod
      tar -c -C /backups 20261121T035500Z-3fa2 | trackstack backup copy --from -
    """
    from runtime.backup.format import carry

    target = destination_of(ctx, runtime_settings.load())
    with carry.opened(from_uri, target) as source:
        of = carry.copy(source, target, name)
    if as_json:
        click.echo(json.dumps({"name": of.name, "to": target.uri, "bytes": of.total_bytes}))
    else:
        click.echo(f"{target.uri}/{of.name}: {human_bytes(of.total_bytes)}")


@command.command("send")
@click.argument("name", required=False)
@click.pass_context
def send_command(ctx: click.Context, name: str | None) -> None:
    """Write a backup to stdout, as the tar that `copy --from -` takes.

    By default the newest that has artifacts.

    \b
    Example:
      trackstack backup --to /backups send | ssh there trackstack backup copy --from -
    """
    from runtime.backup.format import carry

    tree = destination_of(ctx, runtime_settings.load())
    carry.send(tree, name, sys.stdout.buffer)


@command.command("verify")
@click.argument("name", required=False)
@click.option(
    "--for",
    "kinds",
    type=click.Choice(["postgresql", "mysql", "sqlite"]),
    multiple=True,
    help="Whether a database of that kind would take it; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def verify_command(
    ctx: click.Context, name: str | None, kinds: tuple[str, ...], as_json: bool
) -> None:
    """Restore a backup into a scratch place, and compare it.

    By default the newest that has artifacts. Compares the rows of every table and the checksum of
    every file. Exits 1 where something is not as it was backed up, or where a database of the kind
    that --for names would not take a row: a text that is too long, or becomes so where artifacts
    move to this server's destination, a NUL, and for MySQL keys that differ in case or accent
    alone, unless its collation is utf8mb4_bin. No such database is needed.

    \b
    Examples:
      trackstack backup --to /backups verify 20261121T035500Z-3fa2
      trackstack backup --to /backups verify --for postgresql --for mysql
    """
    from runtime.backup import filling, relocate

    settings = runtime_settings.load()
    tree = destination_of(ctx, settings)
    of, problems = filling.verify(tree, name, kinds, relocate.beginning(settings))
    files = of.artifacts.files if of.artifacts else 0
    if as_json:
        told = {"name": of.name, "rows": of.rows, "files": files, "problems": problems}
        click.echo(json.dumps(told))
    elif not problems:
        click.echo(f"{of.name}: {of.rows} rows and {files} artifacts restore as they were")
    else:
        for problem in problems:
            click.echo(problem, err=True)
    if problems:
        raise SystemExit(1)


command.add_command(drill.command, "drill")
