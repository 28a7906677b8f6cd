"""What of a store's files its live rows reach.

Worked out from the rows alone, in another way than gc does: each text is read as generously as a
client or a person might.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import select

from tests.runtime.gc_store import Store

PROXY = "https://server/api/2.0/mlflow-artifacts/artifacts/"
_ID = re.compile("[0-9a-f]{32}")


@dataclass
class Reach:
    """Of ``store``, whose destination is ``root``; ``places`` are the locations of runs and models,
    by id.
    """

    store: Store
    root: Path
    places: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def outside(self) -> Path:
        return self.root.parent / "outside"

    def reached(self) -> set[Path]:
        """The files that are there and that a live row reaches, however it says so."""
        folders = [self.read(text) for text in self._live_texts()]
        return {
            file for file in self.files() if any(file.is_relative_to(place) for place in folders)
        }

    def files(self) -> set[Path]:
        # gc may delete folders meanwhile, which `os.walk` takes for empty.
        found = (
            Path(folder, name)
            for place in (self.root, self.outside)
            for folder, folders, names in os.walk(place)
            for name in (*folders, *names)
        )
        return {Path(os.path.realpath(path)) for path in found if path.is_file()}

    def owned(self) -> set[Path]:
        """The files that lie in a folder of an entity's, by the row of the entity."""
        places = [Path(os.path.realpath(self.read(text))) for text in self.places.values()]
        return {file for file in self.files() if any(file.is_relative_to(p) for p in places)}

    def _live_texts(self) -> Iterator[str]:
        live = {"lifecycle_stage": "active"}
        runs = self.rows("runs", **live)
        alive = {row.experiment_id for row in self.rows("experiments", **live)}
        yield from (row.artifact_uri for row in runs)
        models = self.rows("logged_models")
        for row in models:
            if row.lifecycle_stage == "active" and row.experiment_id in alive:
                yield row.artifact_location
        used = {r.destination_id for r in self.rows("inputs", source_type="RUN_INPUT")}
        yield from (
            row.artifact_location
            for row in models
            if row.model_id in used and row.lifecycle_stage == "active"
        )
        traced = {row.request_id for row in self.rows("trace_info") if row.experiment_id in alive}
        yield from (row.value for row in self.rows("trace_tags") if row.request_id in traced)
        for row in self.rows("model_versions"):
            if row.current_stage != "Deleted_Internal":
                yield from (self.places[key] for key in [row.run_id] if key in self.places)
                for text in (row.source, row.storage_location):
                    yield from self._of_version(text or "", models)
        yield from (json.loads(row.dataset_source)["uri"] for row in self.rows("datasets"))

    def _of_version(self, text: str, models: list[Any]) -> Iterator[str]:
        if not text.startswith(("runs:/", "models:/")):
            yield text
            return
        of_run = text.startswith("runs:/")
        for key in _ID.findall(text):
            yield from (
                self.places[k] for k in (key if of_run else f"m-{key}",) if k in self.places
            )
            if of_run:
                yield from (m.artifact_location for m in models if m.source_run_id == key)

    def read(self, text: str) -> Path:
        """The folder that a text means."""
        plain = re.split("[?#;]", unquote(text))[0]
        for start in ("mlflow-artifacts:/", PROXY):
            if plain.startswith(start):
                return Path(os.path.normpath(f"{self.root}/{plain.removeprefix(start)}"))
        return Path(os.path.realpath(plain.removeprefix("file://")))

    def rows(self, table: str, **where: Any) -> list[Any]:
        of_table = self.store.tables[table]
        query = select(of_table).where(*(of_table.c[name] == where[name] for name in where))
        with self.store.engine.connect() as connection:
            return list(connection.execute(query))
