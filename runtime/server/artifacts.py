"""Before a server serves: whether its artifacts can be had, are its store's, and are all opened."""

from collections.abc import Iterator
from threading import Thread
from typing import Any

import click
from sqlalchemy import ColumnElement, Engine, func, or_, select

from runtime.access.rules.locations import PROMPT_SOURCES, of_stack
from runtime.artifacts.extras import check_installed
from runtime.artifacts.location import printable
from runtime.artifacts.owner import claim_all
from runtime.database.schema import tables
from runtime.errors import UserError
from runtime.gc.decide import DELETED, is_live_version
from runtime.paths import local_path
from runtime.settings import RuntimeSettings

# How long a server waits for an artifact store that does not answer, in seconds.
_PATIENCE = 20
# What an artifact store answers to a wrong login, and to a name that is none: it stays so.
_DENIED = (401, 403, 404)
# Places that the log names, at most.
_MOST_SHOWN = 5
# What is looked up elsewhere, and asked again there.
_OPENED = ("mlflow-artifacts:", "runs:/", "models:/")


def check(settings: RuntimeSettings, engine: Engine, patience: float = _PATIENCE) -> None:
    """Raise UserError where the destination is another store's, or never to be had: its library is
    not installed, it has no login, or it denies the look. Says which rows lie elsewhere.

    One that does not answer holds up nobody, nor in a stack one that denies: rights that were just
    given take their time. gc looks again before it deletes anything.
    """
    if settings.serve_artifacts:
        root = settings.default_artifact_root
        check_installed([settings.artifacts_destination, *([root] if root else [])])
    _tell_of_others(settings, engine)
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
        if (said := denial(error)) and not settings.job_token:
            raise UserError(
                f"{settings.artifacts_destination} cannot be looked into ({said}): see its name, "
                "and the rights of the login"
            )
        if isinstance(error, ModuleNotFoundError):
            raise UserError(
                f"{settings.artifacts_destination} needs the package {error.name}: build the image "
                "with --build-arg EXTRA_PACKAGES=..., or install it with pip"
            )
        click.echo(
            f"trackstack: nobody knows whose the artifacts in {settings.artifacts_destination} "
            f"are: {type(error).__name__}: {reason}",
            err=True,
        )


def denial(error: BaseException) -> str | None:
    """What an artifact store said that denies a look; None where it said nothing of the kind.

    Each SDK has its own exception, and MLflow wraps some.
    """
    for each in _causes(error):
        if (status := _status(each)) in _DENIED:
            text = str(getattr(each, "message", None) or each)
            return f"{status} {(text.splitlines() or [''])[0]}".strip()
    return None


def _causes(error: BaseException | None) -> Iterator[Any]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _status(error: Any) -> int | None:
    """The HTTP status that OCI's, Azure's or AWS's exception carries."""
    response: Any = getattr(error, "response", None)
    metadata: Any = response.get("ResponseMetadata") if hasattr(response, "get") else None
    aws = metadata.get("HTTPStatusCode") if metadata else None
    found = (getattr(error, "status", None), getattr(error, "status_code", None), aws)
    return next((status for status in found if isinstance(status, int)), None)


def _tell_of_others(settings: RuntimeSettings, engine: Engine) -> None:
    """Say in one line how many rows there are whose artifacts the server does not open."""
    metadata, allowed = tables(), of_stack(settings)
    experiments = metadata.tables["experiments"].c
    versions = metadata.tables["model_versions"].c
    columns = {
        "experiments": (experiments.artifact_location, experiments.lifecycle_stage != DELETED),
        "registered versions": (
            func.coalesce(versions.storage_location, versions.source),
            is_live_version(metadata),
        ),
    }
    counted, unopened = list[str](), set[str]()
    for name, (column, is_live) in columns.items():
        found = [each for each in _locations(engine, column, is_live) if not allowed.may_open(each)]
        unopened.update(found)
        if found:
            counted.append(f"{len(found)} {name}")
    if not counted:
        return
    shown = sorted({_store_of(location) for location in unopened})
    more = ", ..." if len(shown) > _MOST_SHOWN else ""
    click.echo(
        f"trackstack: warning: {' and '.join(counted)} have artifacts where this server opens "
        f"nothing ({', '.join(shown[:_MOST_SHOWN])}{more}); if they are to be opened, add the "
        "places to the stack's artifactLocations (TRACKSTACK_ARTIFACT_LOCATIONS)",
        err=True,
    )


def _locations(
    engine: Engine, column: ColumnElement[str], is_live: ColumnElement[bool]
) -> list[str]:
    """Of each row, but for those that every server opens."""
    usual = or_(*(column.startswith(start, autoescape=True) for start in _OPENED))
    query = select(column).where(is_live, column != "", ~usual, column.not_in(PROMPT_SOURCES))
    with engine.connect() as connection:
        return [str(location) for location in connection.execute(query).scalars()]


def _store_of(location: str) -> str:
    """The bucket or container of a location; a directory as it is. For a line of a log."""
    start, separator, rest = printable(location).partition("://")
    is_store = separator and start.lower() != "file"
    return f"{start}://{rest.split('/')[0]}" if is_store else printable(location)
