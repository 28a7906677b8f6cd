"""A store that is being filled, entity by entity, at locations of a test's choice."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.runtime.gc_store import Store


@dataclass
class Cases:
    """A store that is being filled, and the files that a pass must leave or delete, by case."""

    store: Store
    folder: Path
    kept: dict[str, Path] = field(default_factory=dict[str, Path])
    gone: dict[str, Path] = field(default_factory=dict[str, Path])

    def experiment(self, location: str | None = None) -> str:
        """A new experiment; ``location``, with its number for ``{id}``, as if MLflow took any."""
        number: str = self.store.mlflow.create_experiment(uuid4().hex)
        if location is not None:
            self.locate(number, location.format(id=number))
        return number

    def locate(self, experiment: str, location: str) -> None:
        key = int(experiment)
        self.store.change("experiments", "experiment_id", key, artifact_location=location)

    def run(self, experiment: str, *, deleted: bool) -> str:
        """A run in it, at its location; its files are for the case to make."""
        run: str = self.store.mlflow.create_run(experiment, "someone", 1, [], "run").info.run_id
        if deleted:
            self.store.mlflow.delete_run(run)
        return run

    def model(self, experiment: str, run: str | None = None, *, deleted: bool = True) -> str:
        model: str = self.store.mlflow.create_logged_model(experiment, "model", run).model_id
        if deleted:
            self.store.mlflow.delete_logged_model(model)
        return model

    def version(self, source: str | None, run: str | None = None, **more: Any) -> None:
        """A live version of a registered model, as older servers and other clients write it."""
        name = uuid4().hex
        values = {"workspace": "default", "name": name}
        self.store.add("registered_models", **values)
        given = {"storage_location": source, "current_stage": "None", **more}
        self.store.add("model_versions", **values, version=1, source=source, run_id=run, **given)

    def file(self, *parts: str) -> Path:
        """A file under the destination."""
        return self.file_in(self.store.artifacts.joinpath(*parts))

    @staticmethod
    def file_in(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "weights").write_text("x")
        return folder / "weights"
