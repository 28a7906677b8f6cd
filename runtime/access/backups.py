"""Backups by request: for stacks in which nobody can run a command, such as a cloud's containers.

`POST` begins one in a process of its own, `GET` lists those that are complete, from where they are
kept, and says from which the store was restored: any worker of any replica can be asked.
"""

import json
import os
from dataclasses import asdict

from runtime.backup import make
from runtime.backup.format import manifest
from runtime.database import state
from runtime.database.engine import open_engine
from runtime.errors import UserError
from runtime.process import start_beside
from runtime.settings import RuntimeSettings, without_secrets

PATH = "/trackstack/backups"


def respond(settings: RuntimeSettings, method: str) -> tuple[int, bytes]:
    """Status and JSON body. Reads the store of backups, so not for an event loop."""
    to = settings.backup_destination
    if not to:
        return 409, _body(error="TRACKSTACK_BACKUP_DESTINATION is not set: backups go nowhere")
    if method == "POST":
        # It writes to the server's log; the caller sees the backup appear in the list, or not.
        start_beside(("backup", "--json"), without_secrets(os.environ, "given_backend_store_uri"))
        return 202, _body(to=to)
    if method != "GET":
        return 405, _body(error="GET lists, POST makes one")
    try:
        names = manifest.names(make.destination(settings, None))
    except UserError as error:
        return 503, _body(error=str(error))
    complete = [name for name, is_whole in names.items() if is_whole]
    found = state.restored(open_engine(settings))
    return 200, _body(to=to, backups=complete, restored=asdict(found) if found else None)


def _body(**fields: object) -> bytes:
    return json.dumps(fields).encode()
