"""What a stack's server holds, compared with a backup."""

import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from runtime.client.server import BACKUPS
from runtime.errors import UserError
from runtime.probe import request, token_of
from runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from runtime.backup.format.manifest import Manifest

# What a server counts of its store.
COUNTED = ("experiments", "runs", "registered_models", "model_versions")
_LOOK_AGAIN_SECONDS = 5
_COUNT = r'^trackstack_entities\{{kind="{}",.*\}} (\S+)$'


def counts(metrics: str) -> dict[str, int]:
    """How many of each kind a server's store holds, by its metrics. Pure."""
    return {
        kind: sum(int(float(n)) for n in re.findall(_COUNT.format(kind), metrics, re.MULTILINE))
        for kind in COUNTED
    }


def differences(counted: Mapping[str, int], of: "Manifest") -> list[str]:
    """The kinds of which a server has another number than a backup. Pure."""
    expected = {kind: of.tables[kind].rows for kind in counted if kind in of.tables}
    return [
        f"{counted[kind]} {kind}, the backup has {rows}"
        for kind, rows in expected.items()
        if counted[kind] != rows
    ]


def left_behind(restored: Mapping[str, Any] | None, of: "Manifest") -> list[str]:
    """What of a backup did not come, by what the restore has noted in the store. Pure.

    It had compared each table's rows and each artifact's checksum by then.
    """
    if not restored or restored["backup"] != of.name:
        return [f"it was not restored from {of.name}"]
    files = of.artifacts.files if of.artifacts else 0
    problems = list[str]()
    if restored["rows"] != of.rows:
        problems.append(f"{restored['rows']} rows came, the backup has {of.rows}")
    if restored["files"] + restored["others"] != files:
        problems.append(f"{restored['files']} artifacts came, the backup has {files}")
    return problems


def refuse_data(counted: Mapping[str, int], stack: str) -> None:
    """Raise UserError where a server's store holds more than an empty one does. Pure."""
    held = [f"{n} {kind}" for kind, n in counted.items() if n > (kind == "experiments")]
    if held:
        raise UserError(
            f"{stack} holds data ({', '.join(held)}); only an empty stack is recovered: destroy "
            "it, or recover another"
        )


def counted(client: RuntimeSettings) -> dict[str, int] | None:
    """What the server counts; None while it does not serve."""
    status, body = request(client, "GET", "/metrics", token_of(client))
    return counts(body.decode()) if status == 200 else None


def restored(client: RuntimeSettings) -> Mapping[str, Any] | None:
    """What the restore of a server's store has noted; None where it was not restored, or while the
    server does not say so.
    """
    status, body = request(client, "GET", BACKUPS, token_of(client))
    # What stands before it may answer, too, and with a page.
    with suppress(ValueError):
        return json.loads(body).get("restored") if status == 200 else None
    return None


def wait(
    client: RuntimeSettings, of: "Manifest", seconds: float
) -> tuple[Mapping[str, Any], list[str]]:
    """What the restore has noted, and what is not as in the backup after so long; nothing as soon
    as all is.

    What a server counts says nothing against the note: its clients go on as soon as it answers.
    """
    deadline = time.monotonic() + seconds
    while True:
        note = restored(client)
        problems = left_behind(note, of)
        if not problems or time.monotonic() >= deadline:
            found = counted(client)
            unlike = ["it does not answer"] if found is None else differences(found, of)
            return note or {}, [*problems, *unlike] if problems else []
        time.sleep(_LOOK_AGAIN_SECONDS)
