"""Backups by request: for stacks in which nobody can run a command, such as a cloud's containers.

`POST` begins one in a process of its own. `GET` lists those that are complete, from where they are
kept, says which of them are of this store, whether one is being made, and from which the store was
restored: any worker of any replica can be asked.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict

from runtime.artifacts.tree import Tree
from runtime.backup import make
from runtime.backup.format import manifest
from runtime.client import server
from runtime.database import identity, state
from runtime.database.engine import open_engine
from runtime.database.lock import BACKUP, is_held
from runtime.errors import UserError
from runtime.process import start_beside
from runtime.settings import RuntimeSettings, without_secrets

PATH = server.BACKUPS
# Place and name of a complete backup, which nobody changes any more -> whose it is.
_STORES = dict[tuple[str, str], str | None]()


def respond(settings: RuntimeSettings, method: str) -> tuple[int, bytes]:
    """Status and JSON body. Reads the store of backups, so not for an event loop."""
    to = settings.backup_destination
    if not to:
        return 409, _body(error="TRACKSTACK_BACKUP_DESTINATION is not set: backups go nowhere")
    if method == "POST":
        # It writes to the server's log; the caller sees the backup appear in the list, or not.
        start_beside(("backup", "--json"), environment(os.environ))
        return 202, _body(to=to)
    if method != "GET":
        return 405, _body(error="GET lists, POST makes one")
    engine = open_engine(settings)
    # Before the list: what ended in between is in it.
    running, store = is_held(engine, BACKUP), identity.known(engine)
    try:
        tree = make.destination(settings, None)
        complete = manifest.complete(tree)
        own = [name for name in complete if store and _store_of(tree, name) == store]
    except UserError as error:
        return 503, _body(error=str(error))
    found = state.restored(engine)
    restored = asdict(found) if found else None
    return 200, _body(to=to, backups=complete, own=own, running=running, restored=restored)


def environment(known: Mapping[str, str]) -> dict[str, str]:
    """What the process of a backup is told: of secrets the store's and those of backups. Pure."""
    return without_secrets(known, "given_backend_store_uri", "backup_key", "earlier_backup_keys")


def _store_of(tree: Tree, name: str) -> str | None:
    """Whose a complete backup is; None where that cannot be told, as with another key."""
    known = (tree.uri, name)
    if known not in _STORES:
        try:
            _STORES[known] = manifest.load(tree, name).store
        except UserError:
            return None
    return _STORES[known]


def _body(**fields: object) -> bytes:
    return json.dumps(fields).encode()
