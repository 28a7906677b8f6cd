"""`trackstack whoami`: as whom a server knows this user."""

import click

from runtime.client import server
from runtime.client.logins import Logins
from runtime.errors import UserError


@click.command()
@click.argument("url", required=False)
def command(url: str | None) -> None:
    """Say as whom the server at URL knows you, and how long the token lasts.

    Without URL: of MLFLOW_TRACKING_URI, else the server that was signed in to last. Exits 1 where
    the token is not valid any more.

    \b
    Example:
      trackstack whoami
    """
    login = Logins().of(url)
    status, said = login.ask("GET", server.TOKENS)
    if status == 401:
        raise UserError(f"{login.url}: the token has ended: trackstack login {login.url}")
    if status != 200:
        raise UserError(f"{login.url}: {said.get('message') or status}")
    [own] = [token for token in said["tokens"] if token["id"] == login.id]
    until = f", until {own['expires']}" if own["expires"] else ""
    click.echo(f"{login.url}: {own['owner']}, {own['role']}{until}")
