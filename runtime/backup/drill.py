"""`trackstack backup drill`: whether the newest backup of this store would bring it back."""

import json
import time
from datetime import datetime, timezone

import click

from runtime import settings as runtime_settings
from runtime.errors import ALARM, UserError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Restore this store's newest backup into a scratch place, and say how long that took.

    Compares the rows of every table and the checksum of every file, as `verify` does; the store
    itself is only asked which one it is. Exits with 3 where something is not as it was backed up:
    done again it would be the same. For a schedule of its own: TRACKSTACK_BACKUP_DRILL_SCHEDULE.

    \b
    Example:
      trackstack backup --to /backups drill
    """
    from runtime.backup import filling, make
    from runtime.backup.format import manifest
    from runtime.database import identity
    from runtime.database.engine import open_engine

    settings = runtime_settings.load()
    tree = make.destination(settings, *ctx.obj)
    begun = time.monotonic()
    newest = manifest.read_for(tree, None, identity.known(open_engine(settings)))
    try:
        of, problems = filling.verify(tree, newest.name)
    except UserError as error:
        of, problems = newest, [str(error)]
    seconds = round(time.monotonic() - begun, 1)
    files = of.artifacts.files if of.artifacts else 0
    made = datetime.fromisoformat(of.created)
    hours = round((datetime.now(timezone.utc) - made).total_seconds() / 3600, 1)
    if as_json:
        told = {"name": of.name, "rows": of.rows, "files": files, "bytes": of.total_bytes}
        told |= {"hours_old": hours, "seconds": seconds, "problems": problems}
        click.echo(json.dumps(told))
    elif not problems:
        click.echo(
            f"{of.name}, {hours} hours old, was restored in {seconds} s: {of.rows} rows and "
            f"{files} artifacts as they were"
        )
    if problems:
        shown = "\n".join(problems[:20])
        raise UserError(f"{of.name} does not restore as it was backed up:\n{shown}", ALARM)
