"""`trackstack token`: named bearer tokens, effective within seconds and without a restart."""

import json

import click
from sqlalchemy import Engine

from runtime import duration, settings
from runtime.database.engine import open_engine
from runtime.errors import UserError
from runtime.tokens.store import Role, TokenTable
from runtime.tokens.uses import TokenUses


def _table() -> TokenTable:
    return TokenTable(_engine())


def _engine() -> Engine:
    return open_engine(settings.load())


@click.group()
def command() -> None:
    """Add, list, revoke, rotate and enable bearer tokens.

    A token's value is printed once, on stdout, and kept nowhere: stored is its hash. A change is
    effective within 5 seconds in every worker and replica.

    \b
    Examples:
      trackstack token add ci --role write --expires 90d
      trackstack token list
      trackstack token rotate ci
      trackstack token revoke ci
      trackstack token enable ci
    """


@command.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.name.lower() for role in Role]),
    default="write",
    show_default=True,
    help="What the token may do.",
)
@click.option("--expires", metavar="AGE", help="Valid for so long, such as 90d; default: for ever.")
def add(name: str, role: str, expires: str | None) -> None:
    """Make a token and print it."""
    if not (0 < len(name) <= 64 and name.isprintable()):
        raise UserError("a token's name has 1 to 64 printable characters", 2)
    try:
        lifetime = None if expires is None else duration.parse_age(expires)
    except ValueError as error:
        raise UserError(f"--expires: {error}", 2) from None
    click.echo(_table().add(name, Role.named(role), lifetime))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def list_tokens(as_json: bool) -> None:
    """List the named tokens, and when each was last used, to the hour; never their values."""
    engine = _engine()
    uses = TokenUses(engine).list()
    tokens = [
        {
            "name": token.name,
            "role": token.role.name.lower(),
            "created": token.created.isoformat() if token.created else None,
            "expires": token.expires.isoformat() if token.expires else None,
            "disabled": token.is_disabled,
            "used": use.when.isoformat(timespec="minutes") if use else None,
            "used_from": use.address if use else None,
        }
        for token in TokenTable(engine).list()
        for use in [uses.get(token.name)]
    ]
    if as_json:
        click.echo(json.dumps(tokens))
        return
    for token in tokens:
        state = f", used {token['used']}Z" if token["used"] else ", never used"
        state += f" from {token['used_from']}" if token["used_from"] else ""
        state += ", disabled" if token["disabled"] else ""
        end = f"{token['expires']}Z" if token["expires"] else "never"
        line = "{name:24} {role:6} made {created}Z, expires "
        click.echo(line.format(**token) + end + state)
    if not tokens:
        click.echo("no named tokens; make one with `trackstack token add NAME`", err=True)


@command.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Make a token invalid."""
    engine = _engine()
    TokenTable(engine).revoke(name)
    TokenUses(engine).forget(name)


@command.command()
@click.argument("name")
def rotate(name: str) -> None:
    """Replace a token's value and print the new one."""
    click.echo(_table().rotate(name))


@command.command()
@click.argument("name")
def enable(name: str) -> None:
    """Make a token valid again that a restore has disabled.

    A backup may bring back a token that was revoked since, so that those which come with one are
    disabled, but for such as the store had anyway.
    """
    _table().enable(name)
