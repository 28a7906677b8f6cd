"""A store of random entities at random locations."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.runtime.gc.property.reach import PROXY, Reach

_TRACE = {"timestamp_ms": 1, "status": "OK", "execution_time_ms": 1}


@dataclass
class World(Reach):
    """Fills ``store``, whose tables are empty."""

    random: Random = field(default_factory=Random)
    experiments: dict[int, str] = field(default_factory=dict[int, str])

    def fill(self) -> None:
        for number in range(1, self.random.randint(2, 4)):
            self.add_experiment(number)
            for _ in range(self.random.randint(0, 3)):
                self.add_run(number)
            for _ in range(self.random.randint(0, 2)):
                self.add_model(number)
            for _ in range(self.random.randint(0, 1)):
                self.add_trace(number)
        for number in list(self.experiments):
            if self.random.random() < 0.4:
                self.delete_experiment(number)
        for _ in range(self.random.randint(0, 3)):
            self.register()
        for _ in range(self.random.randint(0, 2)):
            self.use()
        self._strangers()

    # --- rows ---

    def add_experiment(self, number: int, location: str | None = None) -> None:
        made = {"creation_time": 1, "last_update_time": 1, "workspace": "default"}
        text = location or self._location_of_experiment(number)
        self.experiments[number] = text
        self.store.add(
            "experiments",
            experiment_id=number,
            name=f"{number}-{self._id()}",
            artifact_location=text,
            lifecycle_stage="active",
            **made,
        )

    def log(self) -> None:
        """A new run, where MLflow puts it: an odd place is what an earlier one may have left."""
        for number in self._keys("experiments", "experiment_id", lifecycle_stage="active")[:1]:
            self.add_run(number, new=True)

    def add_run(self, experiment: int, *, new: bool = False) -> str:
        run, gone = self._id(), not new and self._chance(0.6)
        self.store.add(
            "runs",
            run_uuid=run,
            experiment_id=experiment,
            artifact_uri=self._place(experiment, "", run, odd=not new),
            start_time=1,
            **self._stage("deleted_time", deleted=gone),
        )
        self._write(run)
        return run

    def add_model(self, experiment: int) -> str:
        model, runs = f"m-{self._id()}", self._keys("runs", "run_uuid")
        gone = self._chance(0.5)
        self.store.add(
            "logged_models",
            model_id=model,
            experiment_id=experiment,
            name="model",
            artifact_location=self._place(experiment, "models/", model),
            creation_timestamp_ms=1,
            status=2,
            source_run_id=self.random.choice([None, *runs]),
            **self._stage("last_updated_timestamp_ms", deleted=gone, otherwise=1),
        )
        self._write(model)
        return model

    def add_trace(self, experiment: int) -> None:
        runs = self._keys("runs", "run_uuid")
        # Clients choose a trace's id; one that a run has, too, makes two owners of one folder.
        trace = self.random.choice([f"tr-{self._id()}", self._id(), *runs[:1]])
        if trace in self._keys("trace_info", "request_id"):
            return
        text = self._at(experiment, f"traces/{trace}/artifacts")
        if self._chance(0.2) and self.places:
            text = self._written(self._some_place())
        self.store.add("trace_info", request_id=trace, experiment_id=experiment, **_TRACE)
        tag = {"key": "mlflow.artifactLocation", "value": text}
        self.store.add("trace_tags", request_id=trace, **tag)
        self._write_at(text)

    def delete_experiment(self, number: int) -> None:
        """As MLflow does: with its runs, and without its logged models."""
        for run in self._keys("runs", "run_uuid", experiment_id=number):
            stage = self._stage("deleted_time", deleted=True)
            self.store.change("runs", "run_uuid", run, **stage)
        self.store.change("experiments", "experiment_id", number, lifecycle_stage="deleted")

    def restore(self) -> None:
        """A run or an experiment with its runs, as MLflow does."""
        alive = {"lifecycle_stage": "active"}
        if self._chance(0.5):
            for run in self._keys("runs", "run_uuid")[:1]:
                self.store.change("runs", "run_uuid", run, deleted_time=None, **alive)
            return
        for number in self._keys("experiments", "experiment_id", lifecycle_stage="deleted")[:1]:
            self.store.change("experiments", "experiment_id", number, last_update_time=2, **alive)
            for run in self._keys("runs", "run_uuid", experiment_id=number):
                self.store.change("runs", "run_uuid", run, deleted_time=None, **alive)

    def register(self) -> None:
        """A version of any age and origin, of something that need not live."""
        ids = [*self.places] or [self._id()]
        key, name = self.random.choice(ids), self._id()
        text = self._written(self._some_place())
        of_run = f"runs:/{key}/model" if not key.startswith("m-") else f"models:/{key}"
        sources = (
            {"source": text},
            {"source": f"{text}/sub"},
            {"source": of_run},
            {"source": f"{of_run}/"},
            {"source": "models:/copied/1", "storage_location": text},
            {"source": "elsewhere", "run_id": key.removeprefix("m-")},
        )
        named = {"workspace": "default", "name": name}
        self.store.add("registered_models", **named)
        stage = self.random.choice(["None", None, "Production", "Deleted_Internal"])
        given = {"version": 1, "creation_time": self.random.randint(1, 9), "current_stage": stage}
        self.store.add("model_versions", **named, **given, **self.random.choice(sources))

    def use(self) -> None:
        """A live run has an entity as its input, or files of one as a dataset."""
        live = self._keys("runs", "run_uuid", lifecycle_stage="active")
        if not live or not self.places:
            return
        run = self.random.choice(live)
        number = self._of("runs", "run_uuid", run, "experiment_id")
        models = [key for key in self.places if key.startswith("m-")]
        if models and self._chance(0.5):
            ends = {"source_type": "RUN_INPUT", "source_id": run}
            ends |= {"destination_type": "MODEL_INPUT"}
            ends |= {"destination_id": self.random.choice(models)}
        else:
            uuid, uri = self._id(), f"{self._written(self._some_place())}/sub/data"
            source = {"dataset_source_type": "http", "dataset_source": json.dumps({"uri": uri})}
            named = {"dataset_uuid": uuid, "experiment_id": number, "name": uuid, "digest": "1"}
            self.store.add("datasets", **named, **source)
            ends = {"source_type": "DATASET", "source_id": uuid}
            ends |= {"destination_type": "RUN", "destination_id": run}
        known = self._keys("inputs", "source_id", **ends)
        if not known:
            self.store.add("inputs", input_uuid=self._id(), step=0, **ends)

    # --- texts ---

    def _location_of_experiment(self, number: int) -> str:
        own = f"mlflow-artifacts:/{number}"
        if self._chance(0.5):
            return own
        other = self.random.choice([*self.experiments, number])
        inside = self._some_place()
        forms = (
            f"{self.root}/{number}",
            f"file://{self.root}/{number}",
            f"mlflow-artifacts:/{other}",
            f"mlflow-artifacts:/{other}/sub",
            f"mlflow-artifacts:/{other}/data/{number}",
            "mlflow-artifacts:/team/a",
            f"{self.root}/team b",
            f"mlflow-artifacts:/{inside}",
            f"mlflow-artifacts:/{inside}/deep",
            f"mlflow-artifacts:/{inside.rpartition('/')[0]}",
            "mlflow-artifacts:/",
            str(self.root),
            f"mlflow-artifacts:/{other}?/{number}",
            f"mlflow-artifacts:/x/../{other}/{number}",
            f"mlflow-artifacts:/%2e%2e/outside/{number}",
            f"mlflow-artifacts://host/{number}",
            f"{self.outside}/{number}",
            f"file://{self.outside}#/{number}",
            f"mlflow-artifacts:/workspaces/default/{number}",
        )
        text = self.random.choice(forms)
        if self._chance(0.1):
            self._link(self.root / str(number))
            return own
        return text

    def _place(self, experiment: int, within: str, key: str, *, odd: bool = True) -> str:
        text = self._at(experiment, f"{within}{key}/artifacts")
        if odd and self._chance(0.1) and self.places:
            text = f"mlflow-artifacts:/{self._some_place()}/sub"
        self.places[key] = text
        return text

    def _at(self, experiment: int, below: str) -> str:
        return f"{self.experiments[experiment].rstrip('/')}/{below}"

    def _some_place(self) -> str:
        """The path below the destination of an entity that is there, or of none."""
        texts = [text for text in self.places.values() if text.startswith("mlflow-artifacts:/")]
        chosen = self.random.choice(texts) if texts else "mlflow-artifacts:/9/none/artifacts"
        return chosen.removeprefix("mlflow-artifacts:/")

    def _written(self, path: str) -> str:
        """A path below the destination as somebody might write it."""
        forms = ("mlflow-artifacts:/{}", "{root}/{}", "file://{root}/{}", "{proxy}{}")
        forms = (*forms, "mlflow-artifacts:/{}/", "mlflow-artifacts:/{escaped}", "{root}/x/../{}")
        escaped = path.replace("artifacts", "%61rtifacts")
        form = self.random.choice(forms)
        return form.format(path, root=self.root, proxy=PROXY, escaped=escaped)

    # --- files ---

    def _write(self, key: str) -> None:
        self._write_at(self.places[key])

    def _write_at(self, text: str) -> None:
        folder = self.read(text)
        if folder.is_relative_to(self.root.parent):
            (folder / "sub").mkdir(parents=True, exist_ok=True)
            (folder / "weights").write_text(text)
            (folder / "sub" / "data").write_text(text)

    def _link(self, at: Path) -> None:
        target = self.outside / f"linked {at.name}"
        target.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(at):
            at.symlink_to(target)

    def _strangers(self) -> None:
        """What is no row's: another store's, or put there by hand."""
        for number in self.experiments:
            for folder in (self.root / str(number) / self._id() / "artifacts", self.outside / "x"):
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "stranger").write_text("x")

    # --- the database ---

    def _stage(self, at: str, *, deleted: bool, otherwise: int | None = None) -> dict[str, Any]:
        stage = "deleted" if deleted else "active"
        return {"lifecycle_stage": stage, at: 1 if deleted else otherwise}

    def _keys(self, table: str, column: str, **where: Any) -> list[Any]:
        found = sorted(getattr(row, column) for row in self.rows(table, **where))
        self.random.shuffle(found)
        return found

    def _of(self, table: str, key: str, value: Any, column: str) -> Any:
        return getattr(self.rows(table, **{key: value})[0], column)

    def _chance(self, part: float) -> bool:
        return self.random.random() < part

    def _id(self) -> str:
        return f"{self.random.getrandbits(128):032x}"
