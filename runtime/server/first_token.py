"""The token of a server that was given none, as `docker run` of the image alone starts it.

Closed by default it would let nobody in. So it makes one at its first start, keeps it in the data
directory and shows it once.
"""

import os
from pathlib import Path

import click
from sqlalchemy import Engine

from runtime.paths import make_private
from runtime.settings import MADE_TOKEN, RuntimeSettings, secret_file, variable
from runtime.tokens.store import TokenTable, generate


def file_of(settings: RuntimeSettings) -> Path:
    """Where the token is, or would be."""
    return settings.data_dir.resolve() / MADE_TOKEN


def is_used(settings: RuntimeSettings) -> bool:
    """Whether the server's own token is one that a start made."""
    file = secret_file(variable("tracking_token"))
    if settings.tracking_token is None:
        return file_of(settings).exists()
    return file is not None and file.resolve() == file_of(settings)


def provide(settings: RuntimeSettings, engine: Engine) -> None:
    """See to it that somebody can come in, and say where the token is."""
    if is_used(settings):
        click.echo(f"trackstack: the token is kept in {file_of(settings)}", err=True)
    elif is_needed(settings, engine):
        make(settings)


def is_needed(settings: RuntimeSettings, engine: Engine) -> bool:
    """Whether nobody could come in: no token is set or named, and no issuer lets people in."""
    given = (settings.tracking_token, settings.job_token, settings.oidc_issuer)
    if any(each is not None for each in given):
        return False
    return not TokenTable(engine).valid()


def make(settings: RuntimeSettings) -> None:
    """Make the token and show it, this once; one that is there stays."""
    token, file = generate(), file_of(settings)
    # Where store and artifacts are elsewhere, nothing else has made it.
    make_private(file.parent)
    try:
        # Not over one that another server on the same folder has made.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as out:
        out.write(f"{token}\n")
    address = settings.public_url
    for line in (
        f"no token was set, so one was made. It is shown this once, and kept in {file}",
        f"  address: {address}",
        f"  token:   {token}",
        "  for clients; where this port is published under another address, with that one:",
        f"    export {variable('given_tracking_uri')}={address}",
        f"    export {variable('tracking_token')}={token}",
    ):
        click.echo(f"trackstack: {line}", err=True)
