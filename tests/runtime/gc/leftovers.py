"""What a crash and a restored database leave in an experiment's folder, in any store."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import delete

from runtime.gc import orphans
from tests.runtime.gc_store import Store

# So that what a test has just written counts as old.
_AN_HOUR_AHEAD = -3600


@dataclass(frozen=True)
class Leftovers:
    """Places below the destination: of what gc must leave, and of what no row points to."""

    known: set[str]
    lost: set[str]


def leave(store: Store, put: Callable[[str], object]) -> Leftovers:
    """Runs with and without their rows; ``put`` makes a file, by its path below the destination."""
    made = [store.mlflow.create_run("0", "someone", 1, [], "run").info.run_id for _ in range(4)]
    live, gone, mentioned, of_trace = map(str, made)
    runs = store.tables["runs"]
    with store.engine.begin() as connection:
        connection.execute(delete(runs).where(runs.c.run_uuid.in_([gone, mentioned, of_trace])))
    named = {"workspace": "default", "name": "model"}
    store.add("registered_models", **named)
    store.add("model_versions", **named, version=1, source=f"runs:/{mentioned}/model")
    lost = {f"0/{gone}", f"0/models/m-{gone}", f"0/traces/tr-{of_trace}"}
    # Another store's number, a user's own folder, what a version mentions, a live run's.
    known = {f"0/{live}", f"0/{mentioned}", "0/data", f"77/{gone}", f"0/models/{gone}"}
    for place in known | lost:
        put(f"{place}/artifacts/deep/file")
        put(f"{place}/artifacts/file")
    put("0/README")
    store.change("experiments", "experiment_id", 0, creation_time=1000)
    return Leftovers(known, lost)


def found(store: Store, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> dict[str, int]:
    """What gc calls orphans, bytes by place, where all that is there counts as old."""
    with monkeypatch.context() as patched:
        patched.setattr(orphans, "SAFE_SECONDS", _AN_HOUR_AHEAD)
        done = store.gc("--orphans", *arguments)
    assert done.exit_code == 0, f"{done.output}{done.exception!r}"
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["failed"] == {}
    return {orphan["path"]: orphan["bytes"] for orphan in said["orphans"]}
