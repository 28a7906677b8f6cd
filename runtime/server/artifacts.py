"""Before a server serves: whether the artifact destination is its store's."""

from threading import Thread

import click
from sqlalchemy import Engine

from runtime.artifacts.owner import claim_all
from runtime.errors import UserError
from runtime.paths import local_path
from runtime.settings import RuntimeSettings

# How long a server waits for an artifact store that does not answer, in seconds.
_PATIENCE = 20


def check(settings: RuntimeSettings, engine: Engine, patience: float = _PATIENCE) -> None:
    """Raise UserError where the destination is another store's.

    A destination that cannot be had holds up nobody: gc looks again before it deletes anything.
    """
    if not settings.serve_artifacts and local_path(settings.artifacts_destination) is None:
        # Clients alone may open it.
        return
    ended: list[Exception | None] = []

    def look() -> None:
        try:
            claim_all(engine, settings)
            ended.append(None)
        except Exception as error:
            ended.append(error)

    # SDKs of artifact stores try again for minutes; the thread does not outlive this process.
    looking = Thread(target=look, daemon=True)
    looking.start()
    looking.join(patience)
    error = ended[0] if ended else TimeoutError(f"no answer in {patience:g} s")
    if isinstance(error, UserError):
        raise error
    if error:
        reason = (str(error).splitlines() or [""])[0]
        click.echo(
            f"trackstack: nobody knows whose the artifacts in {settings.artifacts_destination} "
            f"are: {type(error).__name__}: {reason}",
            err=True,
        )
