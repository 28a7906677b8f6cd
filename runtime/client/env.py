"""`trackstack env`: what a shell needs, to paste or to evaluate."""

import shlex

import click

from runtime.client import variables
from runtime.client.logins import Login, Logins


@click.command()
@click.argument("url", required=False)
@click.option("--token", "with_token", is_flag=True, help="The token itself, for other programs.")
def command(url: str | None, with_token: bool) -> None:
    """Print the lines that make a shell's MLflow speak to the server at URL.

    Without URL: the server that was signed in to last. MLflow takes the token from where `login`
    keeps it, so that no secret is among the lines, but with --token.

    \b
    Examples:
      eval "$(trackstack env)"
      eval "$(trackstack env https://mlflow-dev.example.com)"
    """
    found = Logins().all()
    login = Logins().of(url) if url or not found else list(found.values())[-1]
    for line in lines(login, with_token=with_token):
        click.echo(line)


def lines(login: Login, *, with_token: bool) -> list[str]:
    """Shell commands. Pure."""
    given = {variables.URI: login.url}
    given |= {variables.TOKEN: login.token} if with_token else {variables.AUTH: variables.PLUGIN}
    given |= {variables.AUTHORITY: login.authority} if login.authority else {}
    # What an earlier server left would be sent to this one, or be trusted for it.
    left = set(variables.OF_ONE_SERVER) - given.keys()
    exports = [f"export {name}={shlex.quote(value)}" for name, value in given.items()]
    return exports + [f"unset {name}" for name in sorted(left)]
