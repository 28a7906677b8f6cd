"""`trackstack logout`: revoke a server's token, and forget it."""

import click

from runtime.client import server
from runtime.client.logins import Logins
from runtime.errors import UserError


@click.command()
@click.argument("url", required=False)
def command(url: str | None) -> None:
    """Revoke the token for the server at URL, and forget it.

    Without URL: for MLFLOW_TRACKING_URI, else the server that was signed in to last.

    \b
    Example:
      trackstack logout https://mlflow.example.com
    """
    logins = Logins()
    login = logins.of(url)
    try:
        status, _ = login.ask("DELETE", f"{server.TOKENS}?id={login.id}")
    except UserError as error:
        status = 0
        click.echo(f"{error}; the token ends of itself, or revoke it on the account page", err=True)
    logins.drop(login.url)
    # 401: it had ended before.
    done = "signed out of" if status in (200, 401) else "forgot the token for"
    click.echo(f"{done} {login.url}")
