"""An inventory from the backend store itself: a few queries, however many runs there are."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, func, select, true

from runtime.database.schema import among, tables
from runtime.retention.entities import (
    KEEP_TAG,
    PARENT_TAG,
    Experiment,
    Inventory,
    Key,
    Kind,
    Model,
    Question,
    Run,
    Stale,
    Version,
)
from runtime.retention.inventory import IN_PROGRESS, PROMPT_TAG, of_prompts
from runtime.retention.store.usage import used

# MLflow's own word for a version that is deleted.
_DELETED = "Deleted_Internal"
# Of several workspaces the API shows this one, unless asked otherwise.
_WORKSPACE = "default"
_CHUNK = 500
# A select of whatever columns.
Query = Any


class Store:
    """A server by its backend store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def inventory(self) -> Inventory:
        with self._engine.connect() as connection:
            return _Reader(connection).inventory(None)

    def around(self, entities: Sequence[Stale]) -> Inventory:
        with self._engine.connect() as connection:
            reader = _Reader(connection)
            return reader.inventory(reader.around(entities))

    def used(self, inventory: Inventory, asked: Sequence[Question]) -> frozenset[Key]:
        with self._engine.connect() as connection:
            return used(connection, inventory, asked)


class _Reader:
    """What one connection sees."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tables = tables().tables

    def inventory(self, runs: set[str] | None) -> Inventory:
        """All live entities, or of the runs these alone."""
        experiments = self._experiments()
        found = tuple(self._runs(runs, {experiment.id for experiment in experiments}))
        return self._with_registry(Inventory(experiments, found, (), ()))

    def around(self, entities: Sequence[Stale]) -> set[str]:
        """The runs that decide about ``entities``: they, what is in them, who points to them."""
        runs, inputs = self._tables["runs"], self._tables["inputs"]
        models, tags = self._tables["logged_models"], self._tables["tags"]
        whole = [int(entity.key) for entity in entities if entity.kind is Kind.EXPERIMENT]
        found = {entity.key for entity in entities if entity.kind is Kind.RUN}
        found |= set(self._ids(select(runs.c.run_uuid), runs.c.experiment_id, whole))
        in_whole = self._ids(
            select(inputs.c.source_id).join(models, models.c.model_id == inputs.c.destination_id),
            models.c.experiment_id,
            whole,
        )
        found |= set(in_whole)
        nested = select(tags.c.run_uuid).where(tags.c.key == PARENT_TAG)
        evaluations = (
            select(inputs.c.source_id)
            .join(models, models.c.model_id == inputs.c.destination_id)
            .where(inputs.c.destination_type == "MODEL_INPUT")
        )
        made = inputs.alias()
        of_outputs = _input_and_maker(inputs, made, inputs.c.source_id)
        waiting = list(found)
        while waiting:
            pointing = {
                *self._ids(nested, tags.c.value, waiting),
                *self._ids(evaluations, models.c.source_run_id, waiting),
                *self._ids(of_outputs, made.c.source_id, waiting),
            }
            waiting = list(pointing - found)
            found |= pointing
        return found

    def _execute(self, query: Query) -> list[Any]:
        rows: Any = self._connection.execute(query)
        return list(rows)

    def _ids(self, query: Query, column: ColumnElement[Any], ids: Sequence[Any]) -> Any:
        """What a query finds where ``column`` is one of ``ids``, in pieces."""
        dialect = self._connection.dialect.name
        return [
            value
            for start in range(0, len(ids), _CHUNK)
            for value in self._connection.scalars(
                query.where(among(dialect, column, ids[start : start + _CHUNK]))
            )
        ]

    def _experiments(self) -> tuple[Experiment, ...]:
        table, tags = self._tables["experiments"], self._tables["experiment_tags"]
        by_id = self._tags(select(tags.c.experiment_id, tags.c.key, tags.c.value))
        live = (table.c.lifecycle_stage == "active") & (table.c.workspace == _WORKSPACE)
        return tuple(
            Experiment(
                str(row.experiment_id),
                row.name,
                row.last_update_time or row.creation_time or 0,
                by_id[row.experiment_id],
            )
            for row in self._execute(select(table).where(live))
        )

    def _runs(self, ids: set[str] | None, experiments: set[str]) -> Iterator[Run]:
        table, metrics = self._tables["runs"], self._tables["latest_metrics"]
        tags = self._tables["tags"]
        columns = (
            *(table.c.run_uuid, table.c.name, table.c.experiment_id),
            *(table.c.status, table.c.start_time, table.c.end_time),
        )
        logged = select(metrics.c.run_uuid, func.max(metrics.c.timestamp))
        marked = select(tags.c.run_uuid, tags.c.key, tags.c.value)
        marked = marked.where(tags.c.key.in_((KEEP_TAG, PARENT_TAG)))
        for chunk in [None] if ids is None else _chunks(sorted(ids)):
            newest = {
                row[0]: row[1]
                for row in self._execute(
                    logged.where(self._among(metrics.c.run_uuid, chunk)).group_by(
                        metrics.c.run_uuid
                    )
                )
            }
            of_run = self._tags(marked.where(self._among(tags.c.run_uuid, chunk)))
            uses = self._uses(chunk)
            outputs = self._outputs(chunk)
            live = select(*columns).where(table.c.lifecycle_stage == "active")
            for row in self._execute(
                live.where(self._among(table.c.run_uuid, chunk)).order_by(table.c.run_uuid)
            ):
                if str(row.experiment_id) not in experiments:
                    continue
                times = (row.start_time, row.end_time, newest.get(row.run_uuid))
                yield Run(
                    row.run_uuid,
                    row.name or "",
                    str(row.experiment_id),
                    max((time for time in times if time), default=0),
                    of_run.get(row.run_uuid, {}),
                    row.status in IN_PROGRESS,
                    outputs=outputs.get(row.run_uuid, ()),
                    uses=frozenset(uses.get(row.run_uuid, ())),
                )

    def _uses(self, chunk: Sequence[str] | None) -> Mapping[str, set[Key]]:
        """Run -> where the logged models come from that it had as its input."""
        inputs, models = self._tables["inputs"], self._tables["logged_models"]
        query = (
            select(inputs.c.source_id, models.c.experiment_id, models.c.source_run_id)
            .join(models, models.c.model_id == inputs.c.destination_id)
            .where(inputs.c.destination_type == "MODEL_INPUT")
            .where(self._among(inputs.c.source_id, chunk))
        )
        found: dict[str, set[Key]] = defaultdict(set)
        for run, experiment, source in self._execute(query):
            found[run].add((Kind.EXPERIMENT, str(experiment)))
            if source:
                found[run].add((Kind.RUN, source))
        made = inputs.alias()
        query = _input_and_maker(inputs, made, inputs.c.source_id, made.c.source_id)
        for run, maker in self._execute(query.where(self._among(inputs.c.source_id, chunk))):
            found[run].add((Kind.RUN, maker))
        return found

    def _outputs(self, chunk: Sequence[str] | None) -> Mapping[str, tuple[str, ...]]:
        inputs = self._tables["inputs"]
        query = (
            select(inputs.c.source_id, inputs.c.destination_id)
            .where(inputs.c.destination_type == "MODEL_OUTPUT")
            .where(self._among(inputs.c.source_id, chunk))
        )
        found: dict[str, tuple[str, ...]] = {}
        for run, model in self._execute(query):
            found[run] = (*found.get(run, ()), model)
        return found

    def _among(self, column: Any, chunk: Sequence[str] | None) -> ColumnElement[bool]:
        return true() if chunk is None else among(self._connection.dialect.name, column, chunk)

    def _tags(self, query: Query) -> Mapping[Any, dict[str, str]]:
        """Tags by what they are on: the columns before key and value."""
        found: dict[Any, dict[str, str]] = defaultdict(dict)
        for *on, key, value in self._execute(query):
            found[on[0] if len(on) == 1 else tuple(on)][key] = value or ""
        return found

    def _with_registry(self, inventory: Inventory) -> Inventory:
        models, versions = self._tables["registered_models"], self._tables["model_versions"]
        of_model = self._tags_of("registered_model_tags", "name")
        of_version = self._tags_of("model_version_tags", "name", "version")
        aliases = self._tags_of_aliases()
        prompts = {name for name, tags in of_model.items() if _is_prompt(tags)}
        live = select(versions).where(versions.c.current_stage.is_distinct_from(_DELETED))
        rows = self._execute(live.where(versions.c.workspace == _WORKSPACE))
        of_prompt = [
            row
            for row in rows
            if row.name in prompts or _is_prompt(of_version[row.name, row.version])
        ]
        return replace(
            inventory,
            versions=tuple(
                _version(row, of_version[row.name, row.version], aliases[row.name])
                for row in rows
                if row not in set(of_prompt)
            ),
            models=tuple(
                Model(
                    row.name,
                    row.last_updated_time or row.creation_time or 0,
                    tuple(aliases[row.name]),
                    of_model[row.name],
                )
                for row in self._execute(select(models).where(models.c.workspace == _WORKSPACE))
                if row.name not in prompts
            ),
            used=of_prompts(
                (of_model[name] for name in prompts), (row.run_id for row in of_prompt)
            ),
        )

    def _tags_of(self, name: str, *on: str) -> Mapping[Any, dict[str, str]]:
        table = self._tables[name]
        columns = (table.c[column] for column in (*on, "key", "value"))
        return self._tags(select(*columns).where(table.c.workspace == _WORKSPACE))

    def _tags_of_aliases(self) -> Mapping[Any, dict[str, str]]:
        table: Table = self._tables["registered_model_aliases"]
        columns = (table.c.name, table.c.alias, table.c.version)
        return self._tags(select(*columns).where(table.c.workspace == _WORKSPACE))


def _input_and_maker(inputs: Any, made: Any, *columns: Any) -> Query:
    """Runs with a logged model as their input, and the runs that name it as their output."""
    return (
        select(*columns)
        .join(made, made.c.destination_id == inputs.c.destination_id)
        .where(inputs.c.destination_type == "MODEL_INPUT")
        .where(made.c.destination_type == "MODEL_OUTPUT")
    )


def _is_prompt(tags: Mapping[str, str]) -> bool:
    return tags.get(PROMPT_TAG) == "true"


def _version(row: Any, tags: Mapping[str, str], aliases: Mapping[str, Any]) -> Version:
    return Version(
        model=row.name,
        version=str(row.version),
        updated=row.last_updated_time or row.creation_time or 0,
        stage=row.current_stage or "None",
        aliases=tuple(alias for alias, of in aliases.items() if str(of) == str(row.version)),
        run_id=row.run_id or None,
        tags=tags,
        source="/".join(filter(None, (row.source, row.storage_location))),
    )


def _chunks(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
