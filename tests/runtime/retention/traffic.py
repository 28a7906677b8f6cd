"""What people did with a server 400 days ago, and what they did with it since, by MLflow's client.

A process of its own, whose clock is faked: `python -m tests.runtime.retention.traffic CLOCK`. It
prints {what: {"experiment", "run", ...}} as JSON, the ids of what each of them made.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.runtime.retention.clock import Clock

LONG_AGO = 400


@dataclass
class Work:
    """What one of them has: an experiment with a run of long ago that has ended."""

    client: Any
    clock: Clock
    name: str
    ids: dict[str, str] = field(default_factory=dict[str, str])

    def begin(self) -> None:
        self.ids["experiment"] = self.client.create_experiment(self.name)
        self.ids["run"] = self.run("run")

    def run(self, name: str, *, parent: str = "", end: bool = True) -> str:
        """A run with a metric and an artifact."""
        tags = {"mlflow.parentRunId": parent} if parent else {}
        run = self.client.create_run(self.ids["experiment"], tags=tags, run_name=name).info.run_id
        self.client.log_metric(run, "loss", 0.5, step=7)
        self.client.log_text(run, self.name, "notes.txt")
        if end:
            self.client.set_terminated(run)
        self.ids[name] = run
        return str(run)

    def model(self) -> str:
        """A logged model of the run."""
        made = self.client.create_logged_model(
            self.ids["experiment"], source_run_id=self.ids["run"]
        )
        self.ids["model"] = self.client.finalize_logged_model(made.model_id, "READY").model_id
        return self.ids["model"]

    def trace(self) -> str:
        span = self.client.start_trace("asked", experiment_id=self.ids["experiment"])
        self.client.end_trace(span.trace_id)
        return str(span.trace_id)

    def version(self, model: str) -> None:
        self.client.create_model_version(model, f"runs:/{self.ids['run']}/model", self.ids["run"])


# Up to its yield it is long ago, from there on today.
Story = Callable[[Work], Iterator[None]]
STORIES: dict[str, Story] = {}


def _story(tell: Story) -> Story:
    STORIES[tell.__name__.strip("_").replace("_", " ")] = tell
    return tell


@_story
def _left(_work: Work) -> Iterator[None]:
    yield


@_story
def _left_with_all_that_a_run_can_have(work: Work) -> Iterator[None]:
    work.run("child", parent=work.ids["run"])
    work.model()
    work.trace()
    yield


@_story
def _left_and_registered(work: Work) -> Iterator[None]:
    """Its version is stale, and stays, so that what it was made of does, too."""
    work.client.create_registered_model("old model")
    work.version("old model")
    yield


@_story
def _left_beside_one_of_today(work: Work) -> Iterator[None]:
    yield
    work.run("today's")


@_story
def _used_as_its_experiment_alone(work: Work) -> Iterator[None]:
    yield
    work.trace()


@_story
def _reviewed(work: Work) -> Iterator[None]:
    import mlflow

    trace = work.trace()
    yield
    mlflow.log_feedback(trace_id=trace, name="good", value=True)


@_story
def _linked_to_a_prompt(work: Work) -> Iterator[None]:
    work.client.register_prompt("ask", "{{q}}")
    yield
    work.client.set_prompt_tag("ask", "_mlflow_experiment_ids", f",{work.ids['experiment']},")


@_story
def _tested_by_a_dataset(work: Work) -> Iterator[None]:
    dataset = work.client.create_dataset("set", experiment_id=work.ids["experiment"])
    yield
    dataset.merge_records([{"inputs": {"q": 1}}])


@_story
def _running(work: Work) -> Iterator[None]:
    work.run("unfinished", end=False)
    yield


@_story
def _logged_to_at_an_early_step(work: Work) -> Iterator[None]:
    yield
    work.client.log_metric(work.ids["run"], "loss", 0.1, step=0)


@_story
def _resumed(work: Work) -> Iterator[None]:
    yield
    work.client.update_run(work.ids["run"], status="RUNNING")


@_story
def _parent_of_one_of_today(work: Work) -> Iterator[None]:
    yield
    work.run("child", parent=work.ids["run"])


@_story
def _used_a_fortnight_ago(work: Work) -> Iterator[None]:
    yield
    work.clock.set(work.clock.days - 14)
    work.client.log_metric(work.ids["run"], "loss", 0.1, step=8)
    work.clock.set(work.clock.days + 14)


@_story
def _kept_by_its_tag(work: Work) -> Iterator[None]:
    work.client.set_tag(work.ids["run"], "trackstack.keep", "true")
    yield


@_story
def _kept_by_its_experiment(work: Work) -> Iterator[None]:
    work.client.set_experiment_tag(work.ids["experiment"], "trackstack.keep", "true")
    yield


@_story
def _with_a_time_of_its_own(work: Work) -> Iterator[None]:
    work.client.set_experiment_tag(work.ids["experiment"], "trackstack.ttl_days", "1000")
    yield


@_story
def _whose_model_was_tagged(work: Work) -> Iterator[None]:
    model = work.model()
    yield
    work.client.set_logged_model_tags(model, {"trackstack.keep": "true"})


@_story
def _whose_model_is_evaluated(work: Work) -> Iterator[None]:
    from mlflow.entities import LoggedModelInput

    model = work.model()
    yield
    work.client.log_inputs(work.run("evaluation"), models=[LoggedModelInput(model)])


@_story
def _in_whose_artifacts_data_lie(work: Work) -> Iterator[None]:
    from mlflow.entities import Dataset, DatasetInput

    yield
    source = f'{{"uri": "runs:/{work.ids["run"]}/notes.txt"}}'
    given = DatasetInput(Dataset("d", "1", "local", source), [])
    work.client.log_inputs(work.run("training"), [given])


@_story
def _registered_today(work: Work) -> Iterator[None]:
    yield
    work.client.create_registered_model("new model")
    work.version("new model")


@_story
def _serving_by_an_alias(work: Work) -> Iterator[None]:
    work.client.create_registered_model("champion")
    work.version("champion")
    work.client.set_registered_model_alias("champion", "Champion", "1")
    yield


@_story
def _deleted_by_its_owner_today(work: Work) -> Iterator[None]:
    yield
    work.client.delete_run(work.ids["run"])


@_story
def _deleted_by_its_owner_long_ago(work: Work) -> Iterator[None]:
    work.client.delete_experiment(work.ids["experiment"])
    yield


def main() -> None:
    """Tell all of them."""
    import mlflow

    clock = Clock(Path(sys.argv[1]))
    client: Any = mlflow.MlflowClient()
    works = {name: Work(client, clock, name) for name in STORIES}
    told = {name: tell(works[name]) for name, tell in STORIES.items()}
    clock.set(clock.days - LONG_AGO)
    for name, work in works.items():
        work.begin()
        next(told[name])
    mlflow.flush_trace_async_logging()
    clock.set(clock.days + LONG_AGO)
    for rest in told.values():
        next(rest, None)
    mlflow.flush_trace_async_logging()
    print(json.dumps({name: work.ids for name, work in works.items()}))


if __name__ == "__main__":
    main()
