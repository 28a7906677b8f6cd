"""The ``trackstack`` command. Each subcommand's module is imported when it is used."""

import difflib
import importlib
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import click
from click.shell_completion import CompletionItem

from runtime.errors import UserError, of_artifact_store


@dataclass(frozen=True)
class Subcommand:
    """``module`` below runtime/ has the function ``command``; ``help`` is its line in --help.

    ``also`` is the name that a published set-up has for it.
    """

    module: str
    help: str
    also: str = ""


COMMANDS = {
    "server": Subcommand("server.command", "Serve MLflow behind the token.", "TrackingServer"),
    "gc": Subcommand("gc.command", "Purge what clients deleted.", "GarbageCollection"),
    "prune": Subcommand(
        "retention.prune", "Soft-delete entities that are stale and unused.", "Prune"
    ),
    "report": Subcommand(
        "retention.report", "List what prune would delete; changes nothing.", "Report"
    ),
    "undelete": Subcommand("retention.undelete", "Bring back what prune deleted."),
    "database": Subcommand(
        "database.provision", "Make database and user on a new database server."
    ),
    "upgrade": Subcommand(
        "backup.upgrade", "Migrate the backend store to this MLflow's schema.", "DatabaseUpgrade"
    ),
    "backup": Subcommand(
        "backup.command", "Back up database and artifacts; list and verify backups."
    ),
    "restore": Subcommand("backup.restore", "Restore a backup into an empty store."),
    "move-in": Subcommand(
        "move_in.command", "Make a backup of another MLflow's store, to fill a stack from."
    ),
    "scheduler": Subcommand("jobs.scheduler", "Run gc, prune and backup on their schedules."),
    "login": Subcommand("client.login", "Sign in to a server by the browser; keeps a token."),
    "logout": Subcommand("client.logout", "Revoke and forget a server's token."),
    "whoami": Subcommand("client.whoami", "Say as whom a server knows you."),
    "env": Subcommand("client.env", "Print what a shell needs for a server."),
    "status": Subcommand("client.status", "Say how a server is; exits 1 where it is not well."),
    "token": Subcommand("tokens.command", "Add, list, revoke and rotate bearer tokens."),
    "promote": Subcommand("promote.command", "Promote and approve model versions."),
    "doctor": Subcommand("doctor", "Check this deployment and say what to do."),
}


# A published name -> ours.
ALIASES = {each.also: name for name, each in COMMANDS.items() if each.also}


class LazyGroup(click.Group):
    """Imports a subcommand's module only when it is run: `trackstack --help` needs no mlflow."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        try:
            module = importlib.import_module(f"runtime.{COMMANDS[name].module}")
        except ModuleNotFoundError as error:
            raise UserError(
                f"{name} needs the server's part, which is not installed here ({error.name}): "
                "in a clone of Trackstack pip install '.[server]'"
            ) from None
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but with a hint, which click takes from commands that it has imported."""
        known = [*COMMANDS, *ALIASES]
        near = [] if args[0] in known else difflib.get_close_matches(args[0], known, n=1)
        if near and not ctx.resilient_parsing:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands and what each does, none of which is imported for that."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        return [
            *(CompletionItem(name, help=COMMANDS[name].help) for name in names),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _line(each)) for name, each in COMMANDS.items()])


def _line(of: Subcommand) -> str:
    return f"{of.help} (also {of.also})" if of.also else of.help


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trackstack")
def cli() -> None:
    """Run and look after an MLflow tracking server.

    Settings come from the environment (MLFLOW_BACKEND_STORE_URI, MLFLOW_TRACKING_TOKEN, ...);
    a secret may be given as NAME_FILE, the path of a file that holds it.
    """


def _shown() -> str:
    """The backend store, behind a space; nothing where that cannot be told."""
    from runtime import settings
    from runtime.database.uri import shown_store

    with suppress(Exception):
        return f" {shown_store(settings.load())}"
    return ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exit 0 done, 1 failed, 2 wrong input, 75 try again, 130 interrupted."""
    try:
        code = cli.main(arguments, standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UserError as error:
        click.echo(f"trackstack: {error}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if told := of_artifact_store(error):
            click.echo(f"trackstack: {told}", err=True)
            sys.exit(told.exit_code)
        if not type(error).__module__.startswith("sqlalchemy."):
            raise
        # The driver's own words; SQLAlchemy would add the statement and its values.
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        click.echo(f"trackstack: the backend store{_shown()} cannot be used: {reason}", err=True)
        sys.exit(75)
    sys.exit(code or 0)
