"""`trackstack move-in`: another MLflow's store as a backup that a stack is filled from."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from sqlalchemy import URL

from runtime import settings as runtime_settings
from runtime.artifacts.tree import Tree
from runtime.database.clock import now_of
from runtime.errors import UserError
from runtime.paths import local_directory
from runtime.settings import RuntimeSettings, environment_of, file_variable

_EXPLAINED = (
    "--artifacts says where they are: what the old server had as --artifacts-destination (by "
    "itself ./mlartifacts), or as --default-artifact-root"
)


def _settings(from_uri: str | None) -> RuntimeSettings:
    """Those of the old store: of ``from_uri``, or of the variable, which hides a password."""
    environment = environment_of(given_backend_store_uri=from_uri)
    given = runtime_settings.load(environment) if from_uri else runtime_settings.load()
    if given.given_backend_store_uri is None and given.db_secret_ocid is None:
        raise UserError(
            f"--from says which store: a SQLAlchemy URI, or the folder of a file store; with a "
            f"password, set {file_variable('given_backend_store_uri')} instead",
            2,
        )
    return given


def _check_places(folder: Path | None, places: tuple[str, ...], linked: tuple[str, ...]) -> None:
    """Raise UserError where there is none, several are not all folders, or a link leads elsewhere.

    Links may lead to the folders of ``linked``, too.
    """
    from runtime.move_in import links

    if not folder and not places:
        raise UserError(_EXPLAINED, 2)
    for place in places:
        directory = local_directory(place)
        if directory is not None and not directory.is_dir():
            raise UserError(f"there is no folder {place}; {_EXPLAINED}", 2)
        if directory is None and (folder or len(places) > 1):
            raise UserError(f"{place}: of several places, each must be a folder", 2)
    local = [found for place in places if (found := local_directory(place))]
    links.check([*local, *([folder] if folder else [])], [Path(place) for place in linked])


def _destination(
    folder: Path | None, places: tuple[str, ...], linked: Path, numbers: Mapping[int, int]
) -> str:
    """Where all artifacts are found."""
    from runtime.move_in import source

    if not folder and len(places) == 1:
        return places[0]
    linked.mkdir()
    for place in places:
        source.link(Path(str(local_directory(place))), linked)
    if folder:
        source.link_files(folder, linked, numbers)
    return str(linked)


def take(
    from_uri: str | None,
    places: tuple[str, ...],
    were: tuple[str, ...],
    to: str,
    *,
    linked: tuple[str, ...] = (),
    renumber: bool = False,
) -> dict[str, Any]:
    """Make the backup at ``to``; returns what it holds, and what stays outside of it.

    Symbolic links lead to no other places than these, and ``linked``. With ``renumber`` experiments
    have numbers that every database takes.
    """
    from runtime.backup import make
    from runtime.move_in import deletion, relocation, source

    given = _settings(from_uri)
    if not places and given.given_artifacts_destination:
        places = (given.given_artifacts_destination,)
    uri = given.given_backend_store_uri
    folder = source.file_store(uri.get_secret_value()) if uri else None
    with TemporaryDirectory(prefix="trackstack-move-in-") as name:
        scratch = Path(name)
        (work := scratch / "work").mkdir()
        _check_places(folder, places, linked)
        file = scratch / "store.sqlite"
        shown = source.copy(given, folder, file, work)
        engine = source.engine_of(file)
        numbers = relocation.renumber(engine) if renumber else {}
        texts = dict[str, str]()
        for place in places:
            texts |= relocation.texts_of(place, were)
        if folder:
            texts |= relocation.texts_of(str(folder), were, numbers)
        moved = relocation.relocate(engine, texts)
        deleted = deletion.begin_anew(engine, now_of(engine))
        destination = _destination(folder, places, scratch / "linked", numbers)
        archived = relocation.relocate_archived(engine, texts, destination)
        left = relocation.outside(engine, destination)
        engine.dispose()
        copied = environment_of(
            data_dir=scratch,
            given_backend_store_uri=URL.create("sqlite", database=str(file)).render_as_string(),
            given_artifacts_destination=destination,
        )
        done = make.back_up(runtime_settings.load(copied), Tree(to), tell=_tell)
    return {
        "from": shown,
        "to": to,
        "name": done.name,
        "rows": done.rows,
        "files": done.artifacts.files if done.artifacts else 0,
        "relocated": {
            name: moved.get(name, 0) + archived.get(name, 0) for name in moved | archived
        },
        "renumbered": numbers,
        "deleted": deleted,
        "outside": [asdict(each) for each in left],
    }


def lines(done: dict[str, Any]) -> list[str]:
    """What was done, for a person. Pure."""
    told = [f"{done['from']}: {done['rows']} rows and {done['files']} artifacts"]
    if done["relocated"]:
        moved = ", ".join(f"{count} of {name}" for name, count in done["relocated"].items())
        told.append(f"locations that become the stack's own: {moved}")
    if done["renumbered"]:
        told.append(f"{len(done['renumbered'])} experiments have new numbers; names stay")
    if done["deleted"]:
        told.append(
            f"{done['deleted']} that were deleted there count as deleted today: gc purges them "
            "when gcTtl is over, unless they are restored"
        )
    told += [
        f"stays outside: {each['count']} of {each['column']} at {each['place']}, which still "
        "point there; name it by --artifacts too, where it is to come along"
        for each in done["outside"]
    ]
    return told


def _tell(line: str) -> None:
    click.echo(f"trackstack: {line}", err=True)


@click.command()
@click.option("--from", "from_uri", metavar="URI", help="Database, or folder of a file store.")
@click.option(
    "--artifacts",
    "places",
    metavar="PLACE",
    multiple=True,
    help="Where artifacts are: a folder or URI; several folders may be given.",
)
@click.option(
    "--was",
    "were",
    metavar="TEXT",
    multiple=True,
    help="What locations begin with, where the folder was elsewhere when they were made.",
)
@click.option(
    "--linked",
    metavar="PLACE",
    multiple=True,
    help="A folder that symbolic links below a PLACE may lead to.",
)
@click.option(
    "--renumber", is_flag=True, help="Small numbers for experiments, as PostgreSQL and MySQL need."
)
@click.option("--to", required=True, metavar="URI", help="Where the backup goes.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(
    from_uri: str | None,
    places: tuple[str, ...],
    were: tuple[str, ...],
    linked: tuple[str, ...],
    renumber: bool,
    to: str,
    as_json: bool,
) -> None:
    """Make a backup of another MLflow's store, which a stack is then filled from.

    Reads SQLite, PostgreSQL, MySQL and file stores (`mlruns`), of MLflow 2.x and 3.x, and changes
    nothing there. Without --from it is the store of MLFLOW_BACKEND_STORE_URI_FILE. Locations below
    a PLACE become the stack's own: of experiments, runs, logged models, versions of models and
    traces. What lies elsewhere is listed. A file store's experiments have numbers of 18 digits,
    which PostgreSQL and MySQL do not take: --renumber gives them others. `make move-in` does all
    of this, and fills the stack.

    \b
    Examples:
      trackstack move-in --from sqlite:////srv/mlflow.db --artifacts /srv/mlartifacts --to /backups
      trackstack move-in --from /srv/mlruns --to /backups --json
    """
    done = take(from_uri, places, were, to, linked=linked, renumber=renumber)
    if as_json:
        click.echo(json.dumps(done))
        return
    for line in lines(done):
        click.echo(line)
    click.echo(f"{done['to']}/{done['name']}: fill a stack by make recover STACK=NAME FROM={to}")
