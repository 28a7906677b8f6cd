"""Whose an artifact destination is: a file in it names the one store that has its artifacts there.

Numbers of experiments are the same in every store. Where two have one destination, each would take
the other's folders for its own: the second is refused, by its server at the start and by whatever
deletes.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine, MetaData, select

from runtime.artifacts.tree import OWN_FOLDER, Tree
from runtime.database import identity
from runtime.database.schema import among, tables
from runtime.errors import UserError
from runtime.settings import RuntimeSettings

# What TRACKSTACK_ADOPT_ARTIFACTS says of a destination that names no store.
NOBODY = "unmarked"
_FILE = f"{OWN_FOLDER}/store"
_ENTITY = re.compile("(m-|tr-)?[0-9a-f]{32}")
# Folders of experiments that are looked into, at most, for something that this store knows.
_MOST_FOLDERS = 200
_AT_ONCE = 500
_KEYS = (("runs", "run_uuid"), ("logged_models", "model_id"), ("trace_info", "request_id"))


@dataclass(frozen=True)
class Signs:
    """What is known of a destination: the store that it names, and whether its folders are this
    store's (None: it has none of any store's).
    """

    marked: str | None
    is_known: bool | None = None


def refusal(store: str, signs: Signs, adopts: str | None, parent: str | None) -> str | None:
    """Why the destination is not the store's; None where it is, or is to be from now on. Pure."""
    if signs.marked == store:
        return None
    if signs.marked is None:
        if signs.is_known is not False or adopts == NOBODY:
            return None
        what, word = "it has artifacts of another store and none of this one's", NOBODY
    else:
        if adopts == signs.marked:
            return None
        copied = ", of whose backup this one is a copy" if signs.marked == parent else ""
        what, word = f"it is that of the store {signs.marked}{copied}", signs.marked
    return (
        f"{what}; give this store an artifact destination of its own, or where the other is gone "
        f"for good, start once with TRACKSTACK_ADOPT_ARTIFACTS={word}"
    )


def claim_all(engine: Engine, settings: RuntimeSettings, *, mark: bool = True) -> None:
    """As `claim`, of wherever a store with these settings has its artifacts."""
    uris = [settings.artifacts_destination]
    root = settings.default_artifact_root
    if root and not root.startswith("mlflow-artifacts:") and Tree(root).uri != Tree(uris[0]).uri:
        uris.append(root)
    for uri in uris:
        claim(engine, uri, settings.adopt_artifacts, mark=mark)


def claim(engine: Engine, uri: str, adopts: str | None, *, mark: bool = True) -> None:
    """Have the artifact destination ``uri`` be that of the store behind ``engine``.

    With ``mark`` the destination names the store from then on. Raises UserError where it is
    another's, and what the artifact store raises where it cannot be had.
    """
    tree, store = Tree(uri), identity.ensure(engine) if mark else identity.known(engine) or ""
    signs = Signs(marked(tree))
    if signs.marked is None:
        signs = Signs(None, knows(engine, tree))
    if reason := refusal(store, signs, adopts, identity.parent(engine)):
        raise UserError(f"the artifacts in {uri} are not this store's: {reason}")
    if mark and signs.marked != store:
        _mark(tree, store, instead_of=signs.marked)
        if (now := marked(tree)) != store:
            # Another store came at the same time, and was the last to write.
            raise UserError(f"the artifacts in {uri} are not this store's: {now} took them")


def marked(tree: Tree) -> str | None:
    """The store that a destination names; None where it names none."""
    if _FILE not in (path for path, _ in tree.list(OWN_FOLDER)):
        return None
    with TemporaryDirectory() as folder:
        file = Path(folder) / "store"
        tree.fetch(_FILE, file)
        try:
            return str(json.loads(file.read_text())["store"])
        except (ValueError, TypeError, KeyError):
            raise UserError(f"{tree.uri}/{_FILE} is damaged; remove it to start anew") from None


def _mark(tree: Tree, store: str, *, instead_of: str | None) -> None:
    text = json.dumps({"store": store}) + "\n"
    if tree.directory is None:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "store"
            file.write_text(text)
            tree.put(file, _FILE)
        return
    at = tree.directory / _FILE
    at.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    coming = at.with_name(f"{store}.coming")
    coming.write_text(text)
    try:
        if instead_of:
            coming.replace(at)
        else:
            # Not over what another store wrote meanwhile.
            os.link(coming, at)
    except FileExistsError:
        pass
    finally:
        coming.unlink(missing_ok=True)


def name_store(engine: Engine, target: Tree | None, store: str | None, *, recovers: bool) -> None:
    """Say which store this is once it gets a backup of ``store`` (None: nobody knows), by the one
    that its artifact destination ``target`` names.
    """
    named = marked(target) if target else None
    is_same = recovers and store is not None and named == store
    stays = not is_same and named is not None and named == identity.known(engine)
    identity.renounce(engine, store, recovers=is_same, stays=stays)


def knows(engine: Engine, tree: Tree) -> bool | None:
    """Whether the destination has something of the store's; None where it has nobody's."""
    metadata, found = tables(), None
    for names in _named(engine, metadata, tree):
        if _has_any(engine, metadata, names):
            return True
        found = False
    return found


def _named(engine: Engine, metadata: MetaData, tree: Tree) -> Iterator[list[str]]:
    """The names, folder by folder, of what looks like runs, models and traces; those first that
    the store has an experiment for.
    """
    folders = {path for path, size in tree.list() if size is None and path.isdecimal()}
    column = metadata.tables["experiments"].c.experiment_id
    with engine.connect() as connection:
        query: Any = select(column).order_by(column.desc())
        own = [str(number) for number in connection.execute(query).scalars()]
    ordered = [*(number for number in own if number in folders), *sorted(folders - set(own))]
    for number in ordered[:_MOST_FOLDERS]:
        for folder in (number, f"{number}/models", f"{number}/traces"):
            names = [path.rpartition("/")[2] for path, size in tree.list(folder) if size is None]
            if known := [name for name in names if _ENTITY.fullmatch(name)]:
                yield known


def _has_any(engine: Engine, metadata: MetaData, names: list[str]) -> bool:
    columns = [metadata.tables[table].c[key] for table, key in _KEYS]
    with engine.connect() as connection:
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            for column in columns:
                query: Any = select(column).where(among(engine.dialect.name, column, some)).limit(1)
                if connection.execute(query).first():
                    return True
    return False
