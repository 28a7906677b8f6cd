"""`trackstack login`: sign in to a server by the browser, and keep a token for it."""

import secrets
from typing import Any

import click

from runtime.client import browser, server
from runtime.client.logins import Login, Logins, normal
from runtime.client.server import challenge_of
from runtime.client.trust import authority_for
from runtime.errors import UserError

_WAIT_SECONDS = 300


@click.command()
@click.argument("url")
@click.option("--code", is_flag=True, help="Type a code that the page shows: no browser is here.")
@click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    help="The server's certificate authority, in PEM.",
)
@click.option(
    "--fingerprint",
    metavar="SHA256",
    help="That of the authority, as `make status` prints it: nothing is asked.",
)
@click.option(
    "--role",
    type=click.Choice(["read", "write", "admin"]),
    default="write",
    show_default=True,
    help="What the token may do, as far as you may.",
)
def command(url: str, code: bool, ca: str | None, fingerprint: str | None, role: str) -> None:
    """Sign in to the server at URL by the browser, and keep a token for it.

    The token is kept by server in a file that you alone can read; MLflow's client takes it from
    there with what `trackstack env` prints. It ends with your rights, and with `trackstack logout`.

    Where the server's certificate is of a certificate authority of its stack's own, shows the
    fingerprint of that, and keeps its certificate, too, once you say that it is the right one.

    \b
    Examples:
      trackstack login https://mlflow.example.com
      eval "$(trackstack env)"
    """
    address = normal(url)
    authority = authority_for(address, ca, fingerprint, _agree)
    verifier = secrets.token_urlsafe(32)
    found = _typed(address, verifier, role) if code else _clicked(address, verifier, role)
    made = _exchanged(address, verifier, found, authority)
    Logins().keep(
        Login(
            address,
            str(made["token"]),
            str(made["id"]),
            str(made["owner"]),
            str(made["role"]),
            made.get("expires"),
            authority,
        )
    )
    click.echo(f"signed in to {address} as {made['owner']}, {made['role']}{_until(made)}")
    click.echo('in this shell: eval "$(trackstack env)"', err=True)


def _agree(question: str) -> bool:
    try:
        return click.confirm(question, err=True)
    except click.Abort:
        raise UserError(
            f"{question} Nobody can be asked here: give it by --fingerprint", 2
        ) from None


def _until(made: dict[str, Any]) -> str:
    return f", until {made['expires']}" if made.get("expires") else ""


def _clicked(address: str, verifier: str, role: str) -> str:
    with browser.Listener() as listener:
        page = browser.page(address, challenge_of(verifier), role, **listener.fields)
        click.echo(f"in the browser: {page}", err=True)
        if browser.opens(page):
            return listener.wait(_WAIT_SECONDS)
    return _typed(address, verifier, role)


def _typed(address: str, verifier: str, role: str) -> str:
    page = browser.page(address, challenge_of(verifier), role)
    click.echo(f"open this in a browser and sign in:\n\n  {page}\n", err=True)
    return str(click.prompt("The code that it shows", err=True))


def _exchanged(address: str, verifier: str, code: str, authority: str | None) -> dict[str, Any]:
    wanted = {"verifier": verifier, "code": code}
    status, said = server.ask(address, "POST", server.EXCHANGE, body=wanted, authority=authority)
    if status == 200:
        return said
    if status in (401, 404, 405):
        raise UserError(f"{address}: is no Trackstack server, or one of before `trackstack login`")
    raise UserError(f"{address}: {said.get('message') or status}")
