"""What is in use by what the backend store holds of it: everything that has a time or a pointer."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from runtime.database.schema import among, tables
from runtime.retention import stale
from runtime.retention.entities import KEEP_TAG, Inventory, Key, Kind, Question, is_kept

_CHUNK = 500
_RUN_ID = re.compile(r"\b[0-9a-f]{32}\b")
# A time that no time to live reaches: of what is in use, however old.
_ALWAYS = 1 << 62
_MODEL_OF_TRACE, _RUN_OF_TRACE = "mlflow.modelId", "mlflow.sourceRun"


def used(connection: Connection, inventory: Inventory, asked: Sequence[Question]) -> frozenset[Key]:
    """Those of the asked-for experiments and runs that hold anything as new as they were asked."""
    since: dict[Key, int] = {(Kind.EXPERIMENT, q.experiment): q.since for q in asked}
    since |= {(Kind.RUN, run): q.since for q in asked for run in q.runs}
    newest = _Newest(connection, inventory, asked).all()
    return frozenset(key for key, time in newest if key in since and time >= since[key])


@dataclass(frozen=True)
class _Newest:
    """Times of what experiments and runs hold, in ms since 1970; each key may come often."""

    connection: Connection
    inventory: Inventory
    asked: Sequence[Question]

    @property
    def _oldest(self) -> int:
        return min((question.since for question in self.asked), default=0)

    @property
    def _experiments(self) -> list[int]:
        return [int(question.experiment) for question in self.asked]

    @property
    def _runs(self) -> list[str]:
        return [run for question in self.asked for run in question.runs]

    def all(self) -> Iterator[tuple[Key, int]]:
        yield from self._of_metrics()
        yield from self._of_traces()
        yield from self._of_assessments()
        yield from self._of_models()
        yield from self._of_datasets()
        yield from self._of_sources()
        yield from self._of_records()

    def _of_metrics(self) -> Iterator[tuple[Key, int]]:
        """At whatever step: of each metric, an inventory has the value at the highest alone."""
        table = tables().tables["metrics"]
        query = select(table.c.run_uuid, func.max(table.c.timestamp)).group_by(table.c.run_uuid)
        for run, time in self._rows(query, table.c.run_uuid, self._runs):
            yield (Kind.RUN, run), time

    def _of_traces(self) -> Iterator[tuple[Key, int]]:
        for experiment, time in self._traces("experiment_id"):
            yield (Kind.EXPERIMENT, str(experiment)), time
        for run, time in self._traced_by(_RUN_OF_TRACE):
            yield (Kind.RUN, run), time
        traces, links = tables().tables["trace_info"], tables().tables["entity_associations"]
        linked = (
            select(links.c.destination_id, func.max(traces.c.timestamp_ms))
            .join(traces, traces.c.request_id == links.c.source_id)
            .where(links.c.source_type == "trace", links.c.destination_type == "run")
            .where(traces.c.timestamp_ms >= self._oldest)
            .group_by(links.c.destination_id)
        )
        for run, time in self.connection.execute(linked):
            yield (Kind.RUN, run), time

    def _traces(self, column: str) -> Iterable[Any]:
        table = tables().tables["trace_info"]
        new = table.c.timestamp_ms >= self._oldest
        query = select(table.c[column], func.max(table.c.timestamp_ms)).where(new)
        return self.connection.execute(query.group_by(table.c[column]))

    def _traced_by(self, key: str) -> Iterable[Any]:
        """Newest traces by what their metadata say under ``key``."""
        traces, data = tables().tables["trace_info"], tables().tables["trace_request_metadata"]
        query = (
            select(data.c.value, func.max(traces.c.timestamp_ms))
            .join(traces, traces.c.request_id == data.c.request_id)
            .where(data.c.key == key, traces.c.timestamp_ms >= self._oldest)
            .group_by(data.c.value)
        )
        return self.connection.execute(query)

    def _of_assessments(self) -> Iterator[tuple[Key, int]]:
        """Somebody who looks at an old trace today uses it."""
        table, traces = tables().tables["assessments"], tables().tables["trace_info"]
        time = func.max(table.c.last_updated_timestamp)
        new = table.c.last_updated_timestamp >= self._oldest
        by_experiment = (
            select(traces.c.experiment_id, time)
            .join(traces, traces.c.request_id == table.c.trace_id)
            .where(new)
            .group_by(traces.c.experiment_id)
        )
        for experiment, newest in self.connection.execute(by_experiment):
            yield (Kind.EXPERIMENT, str(experiment)), newest
        by_run = select(table.c.run_id, time).where(new).group_by(table.c.run_id)
        for run, newest in self.connection.execute(by_run):
            yield (Kind.RUN, run), newest

    def _of_models(self) -> Iterator[tuple[Key, int]]:
        """A logged model is used where it was made, by the run it came of and that names it."""
        table = tables().tables["logged_models"]
        columns = (
            *(table.c.model_id, table.c.experiment_id, table.c.source_run_id),
            *(table.c.creation_timestamp_ms, table.c.last_updated_timestamp_ms),
        )
        live = select(*columns).where(table.c.lifecycle_stage == "active")
        named: dict[str, list[str]] = defaultdict(list)
        asked = set(self._runs)
        for run in self.inventory.runs:
            for model in run.outputs if run.id in asked else ():
                named[model].append(run.id)
        rows = {
            row.model_id: row
            for column, ids in (
                (table.c.experiment_id, self._experiments),
                (table.c.source_run_id, self._runs),
                (table.c.model_id, list(named)),
            )
            for row in self._rows(live, column, ids)
        }
        times = self._times_of_models(list(rows))
        for model, row in rows.items():
            given = (row.creation_timestamp_ms, row.last_updated_timestamp_ms, times.get(model))
            newest = max((time for time in given if time), default=0)
            yield (Kind.EXPERIMENT, str(row.experiment_id)), newest
            if row.source_run_id:
                yield (Kind.RUN, row.source_run_id), newest
            yield from (((Kind.RUN, run), newest) for run in named[model])

    def _times_of_models(self, models: list[str]) -> Mapping[str, int]:
        """When they were last measured or traced; _ALWAYS for what a tag or a version keeps."""
        if not models:
            return {}
        metrics, tags = (
            tables().tables["logged_model_metrics"],
            tables().tables["logged_model_tags"],
        )
        measured = select(metrics.c.model_id, func.max(metrics.c.metric_timestamp_ms))
        measured = measured.group_by(metrics.c.model_id)
        found: dict[str, int] = defaultdict(int)
        for model, time in (
            *self._rows(measured, metrics.c.model_id, models),
            *self._traced_by(_MODEL_OF_TRACE),
        ):
            found[model] = max(found[model], time or 0)
        kept = select(tags.c.model_id, tags.c.tag_key, tags.c.tag_value)
        kept = kept.where(tags.c.tag_key == KEEP_TAG)
        for model, key, value in self._rows(kept, tags.c.model_id, models):
            if is_kept({key: value or ""}):
                found[model] = _ALWAYS
        return found | dict.fromkeys(stale.logged_models(self.inventory), _ALWAYS)

    def _of_datasets(self) -> Iterator[tuple[Key, int]]:
        """Datasets for evaluation: where they belong, and where the traces are that they cite."""
        table, records = (
            tables().tables["evaluation_datasets"],
            tables().tables["evaluation_dataset_records"],
        )
        links, traces = tables().tables["entity_associations"], tables().tables["trace_info"]
        homes = (
            select(links.c.source_id, links.c.destination_id)
            .where(links.c.source_type == "evaluation_dataset")
            .where(links.c.destination_type == "experiment")
        )
        home: dict[str, set[str]] = defaultdict(set)
        for dataset, experiment in self.connection.execute(homes):
            home[dataset].add(experiment)
        record = select(records.c.dataset_id, func.max(records.c.last_update_time))
        given = self.connection.execute(record.group_by(records.c.dataset_id))
        newest = {row[0]: row[1] or 0 for row in given}
        for dataset, time in self.connection.execute(
            select(table.c.dataset_id, table.c.last_update_time)
        ):
            for experiment in home[dataset]:
                yield (Kind.EXPERIMENT, experiment), max(time or 0, newest.get(dataset, 0))
        cited = (
            select(records.c.dataset_id, traces.c.experiment_id)
            .join(traces, traces.c.request_id == records.c.source_id)
            .distinct()
        )
        for dataset, experiment in self.connection.execute(cited):
            # One that has no other home goes with its experiment.
            if home[dataset] != {str(experiment)}:
                yield (Kind.EXPERIMENT, str(experiment)), _ALWAYS

    def _of_sources(self) -> Iterator[tuple[Key, int]]:
        """The runs in whose artifacts a dataset lies that another live run has as its input."""
        known = tables().tables
        table, inputs, runs = known["datasets"], known["inputs"], known["runs"]
        source = table.c.dataset_source
        query = (
            select(runs.c.run_uuid, source)
            .join(inputs, inputs.c.destination_id == runs.c.run_uuid)
            .join(table, table.c.dataset_uuid == inputs.c.source_id)
            .where(inputs.c.source_type == "DATASET", runs.c.lifecycle_stage == "active")
            .where(source.like("%runs:/%") | source.like("%/artifacts%"))
        )
        for run, text in self.connection.execute(query):
            for named in _RUN_ID.findall(text):
                if named != run:
                    yield (Kind.RUN, named), _ALWAYS

    def _of_records(self) -> Iterator[tuple[Key, int]]:
        """What people and the server keep in an experiment beside runs."""
        known = tables().tables
        for name, column in (
            ("issues", "last_updated_timestamp"),
            ("label_schemas", "last_update_time"),
            ("review_queues", "last_update_time_ms"),
        ):
            table = known[name]
            query = select(table.c.experiment_id, func.max(table.c[column]))
            yield from self._times(Kind.EXPERIMENT, query.group_by(table.c.experiment_id))
        issues = known["issues"]
        by_run = select(issues.c.source_run_id, func.max(issues.c.last_updated_timestamp))
        yield from self._times(Kind.RUN, by_run.group_by(issues.c.source_run_id))
        items, queues = known["review_queue_items"], known["review_queues"]
        reviewed = (
            select(queues.c.experiment_id, func.max(items.c.last_update_time_ms))
            .join(queues, queues.c.queue_id == items.c.queue_id)
            .group_by(queues.c.experiment_id)
        )
        yield from self._times(Kind.EXPERIMENT, reviewed)
        scorers, versions = known["scorers"], known["scorer_versions"]
        made = (
            select(scorers.c.experiment_id, func.max(versions.c.creation_time))
            .join(scorers, scorers.c.scorer_id == versions.c.scorer_id)
            .group_by(scorers.c.experiment_id)
        )
        yield from self._times(Kind.EXPERIMENT, made)
        # What scores by itself, and an endpoint that notes its use there.
        scoring, endpoints = known["online_scoring_configs"], known["endpoints"]
        for query in (
            select(scoring.c.experiment_id).where(scoring.c.sample_rate > 0),
            select(endpoints.c.experiment_id).where(endpoints.c.experiment_id.is_not(None)),
        ):
            for experiment in self.connection.scalars(query):
                yield (Kind.EXPERIMENT, str(experiment)), _ALWAYS

    def _times(self, kind: Kind, query: Any) -> Iterator[tuple[Key, int]]:
        """What a query of ids and times finds, as use of entities of one kind."""
        rows: Any = self.connection.execute(query)
        for id_, time in rows:
            yield (kind, str(id_)), time or 0

    def _rows(self, query: Any, column: ColumnElement[Any], ids: Sequence[Any]) -> Iterator[Any]:
        """What a query finds where ``column`` is one of ``ids``, in pieces."""
        dialect = self.connection.dialect.name
        for start in range(0, len(ids), _CHUNK):
            piece = query.where(among(dialect, column, ids[start : start + _CHUNK]))
            yield from self.connection.execute(piece)
