"""`trackstack token`: named bearer tokens, effective within seconds and without a restart."""

import json
from typing import Any

import click

from runtime import settings
from runtime.tokens.beside import StoredTokens
from runtime.tokens.served import ServedTokens, is_store_at_hand
from runtime.tokens.store import Role


def tokens() -> StoredTokens | ServedTokens:
    """The tokens of the store at hand, else of the server that the environment names."""
    given = settings.load()
    return StoredTokens(given) if is_store_at_hand(given) else ServedTokens(given)


@click.group()
def command() -> None:
    """Add, list, revoke, rotate and enable bearer tokens.

    A token's value is printed once, on stdout, and kept nowhere: stored is its hash. A change is
    effective within 5 seconds in every worker and replica.

    Where the store is not at hand (no MLFLOW_BACKEND_STORE_URI and no TRACKSTACK_DATA_DIR), the
    server at MLFLOW_TRACKING_URI is asked, with an admin's MLFLOW_TRACKING_TOKEN.

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
    click.echo(tokens().add(name, role, expires))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def list_tokens(as_json: bool) -> None:
    """List the named tokens and people's own, with their last use, to the hour; never a value."""
    found = tokens().list()
    if as_json:
        click.echo(json.dumps(found))
        return
    for token in found:
        click.echo(_line(token))
    if not found:
        click.echo("no named tokens; make one with `trackstack token add NAME`", err=True)


def _line(token: dict[str, Any]) -> str:
    whose = f"{token['owner']}/{token['name']}" if token["owner"] else str(token["name"])
    state = f", used {token['used']}" if token["used"] else ", never used"
    state += f" from {token['used_from']}" if token["used_from"] else ""
    state += ", disabled" if token["disabled"] else ""
    state += f", id {token['id']}" if token["id"] else ""
    end = token["expires"] or "never"
    # A server of before tells nobody.
    by = f" by {token['made_by']}" if token.get("made_by") and not token["owner"] else ""
    return f"{whose:24} {token['role']:6} made {token['created']}{by}, expires {end}{state}"


@command.command()
@click.argument("name", required=False)
@click.option("--id", "token_id", metavar="ID", help="One of somebody's own, as `list` tells it.")
def revoke(name: str | None, token_id: str | None) -> None:
    """Make a token invalid."""
    if (name is None) == (token_id is None):
        raise click.UsageError("give NAME, or --id for one of somebody's own")
    if token_id is not None:
        tokens().revoke_own(token_id)
    elif name is not None:
        tokens().revoke(name)


@command.command()
@click.argument("name")
def rotate(name: str) -> None:
    """Replace a token's value and print the new one."""
    click.echo(tokens().rotate(name))


@command.command()
@click.argument("name")
def enable(name: str) -> None:
    """Make a token valid again that a restore has disabled.

    A backup may bring back a token that was revoked since, so that those which come with one are
    disabled, but for such as the store had anyway.
    """
    tokens().enable(name)


@command.group()
def people() -> None:
    """List, remove and let in people who sign in by the issuer.

    A token that somebody made ends with their rights: when the issuer says at their next sign-in
    that they have none, TRACKSTACK_TOKEN_SIGN_IN_DAYS after their last one, or with `remove`.

    \b
    Examples:
      trackstack token people list
      trackstack token people remove ada@example.com
    """


@people.command("list")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def list_people(as_json: bool) -> None:
    """List who has signed in by the issuer, and when last."""
    found = tokens().people()
    if as_json:
        click.echo(json.dumps(found))
        return
    for person in found:
        state = ", removed" if person["removed"] else ""
        role, when = person["role"] or "-", person["signed_in"] or "never"
        click.echo(f"{person['name']:40} {role:6} signed in {when}{state}")


@people.command()
@click.argument("name")
def remove(name: str) -> None:
    """End a person's sessions and tokens within 5 seconds, and let them sign in no more."""
    tokens().remove(name)


@people.command("let-in")
@click.argument("name")
def let_in(name: str) -> None:
    """Take a removal back: they may sign in again; what ended stays ended."""
    tokens().let_in(name)
