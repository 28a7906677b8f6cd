"""`/metrics`, in Prometheus' text format: requests, the jobs' last runs, what the store holds.

Requests are counted by every worker into files of its own (the client library's multiprocess
mode), so that whichever worker answers tells of all. MLflow's own request metrics
(`--expose-prometheus`) see its Flask half only.
"""

import functools
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from runtime.jobs.scheduler import LastRun
    from runtime.settings import RuntimeSettings

PATH = "/metrics"
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# Counting a large table costs the database something, and scrapes come from several sides.
_COUNT_EVERY_SECONDS = 60
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_AREAS = (
    ("/api/2.0/mlflow-artifacts", "artifacts"),
    ("/ajax-api/2.0/mlflow-artifacts", "artifacts"),
    ("/v1/traces", "traces"),
    ("/api/", "api"),
    ("/ajax-api/", "ui"),
    ("/graphql", "ui"),
    ("/static-files", "ui"),
)


class SharedDirectory:
    """Where the workers' counts meet; made before the fork. Without it each counts for itself."""

    path: str | None = None

    @classmethod
    def make(cls) -> str:
        """Make it, in memory where that can be; the client library wants its name as VARIABLE."""
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112
        cls.path = tempfile.mkdtemp(prefix="trackstack-metrics-", dir=memory)
        return cls.path

    @classmethod
    def remove(cls) -> None:
        if cls.path:
            shutil.rmtree(cls.path, ignore_errors=True)


def area_of(path: str) -> str:
    """A few words for many paths: every value of a label is a time series of its own. Pure."""
    return next((area for start, area in _AREAS if path.startswith(start)), "other")


def rows_of(result: object) -> Mapping[str, float]:
    """Rows and bytes in what a job printed, where it says so. Pure.

    What a dry run counts was not deleted, and goes by another name.
    """
    if not isinstance(result, dict):
        return {}
    given = cast(dict[str, Any], result)
    found = {name: given[name] for name in ("rows", "bytes") if _is_number(given.get(name))}
    deleted = given.get("deleted")
    if isinstance(deleted, dict):
        counts = cast(dict[str, Any], deleted).values()
        total = sum(count for count in counts if _is_number(count))
        dry_run = given.get("dry_run") is True
        found |= {"rows": 0, "would_delete": total} if dry_run else {"rows": total}
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@functools.cache
def build_info(image: str | None) -> Any:
    """What runs: versions, and the image where the stack says it. Pure."""
    from prometheus_client.core import GaugeMetricFamily

    labels = {
        "version": version("trackstack"),
        "mlflow": version("mlflow"),
        "image": image or "",
    }
    info = GaugeMetricFamily("trackstack_build_info", "What runs here.", labels=list(labels))
    info.add_metric(list(labels.values()), 1)
    return info


def job_families(runs: Mapping[str, "LastRun"]) -> Iterable[Any]:
    """The jobs' last runs as metrics. Pure."""
    from prometheus_client.core import GaugeMetricFamily

    def family(name: str, text: str, values: Mapping[str, float | None]) -> Any:
        gauge = GaugeMetricFamily(f"trackstack_job_{name}", text, labels=["job"])
        for job, value in values.items():
            if value is not None:
                gauge.add_metric([job], value)
        return gauge

    def moment(text: str | None) -> float | None:
        return datetime.fromisoformat(text).timestamp() if text else None

    done = {job: rows_of(run.result) for job, run in runs.items()}
    return (
        family(
            "last_success_timestamp_seconds",
            "When the job last ended well.",
            {job: moment(run.last_success) for job, run in runs.items()},
        ),
        family(
            "last_start_timestamp_seconds",
            "When the job's last run began.",
            {job: moment(run.started) for job, run in runs.items()},
        ),
        family(
            "last_duration_seconds",
            "How long the last run took, with its repetitions.",
            {job: run.seconds for job, run in runs.items()},
        ),
        family(
            "last_exit_code",
            "0 where the last run ended well.",
            {job: run.exit_code for job, run in runs.items()},
        ),
        family(
            "last_rows",
            "Entities that the last run deleted, or rows that it backed up.",
            {job: each.get("rows") for job, each in done.items()},
        ),
        family(
            "last_would_delete",
            "Entities that the last run would have deleted, where it only reports.",
            {job: each.get("would_delete") for job, each in done.items()},
        ),
        family(
            "last_bytes",
            "Bytes that the last run wrote.",
            {job: each.get("bytes") for job, each in done.items()},
        ),
    )


def store_families(counts: Mapping[tuple[str, str], int], *, is_up: bool) -> Iterable[Any]:
    """Whether the store can be read, and what it holds by kind and stage, as metrics. Pure."""
    from prometheus_client.core import GaugeMetricFamily

    up = GaugeMetricFamily("trackstack_store_up", "1 where the backend store can be read.")
    up.add_metric([], is_up)
    gauge = GaugeMetricFamily(
        "trackstack_entities", "What the store holds.", labels=["kind", "stage"]
    )
    for labels, number in counts.items():
        gauge.add_metric(labels, number)
    return up, gauge


def count(engine: "Engine") -> dict[tuple[str, str], int]:
    """What the store holds: (kind, lifecycle stage) -> number. Tokens are the named, valid or not.

    Raises sqlalchemy.exc.SQLAlchemyError where it cannot be read.
    """
    from sqlalchemy import func, literal, select

    from runtime.database.schema import tables
    from runtime.tokens.store import TABLES

    known = {**tables().tables, **TABLES.tables}
    counts: dict[tuple[str, str], int] = {}
    with engine.connect() as connection:
        for name in ("experiments", "runs", "registered_models", "model_versions"):
            table = known[name]
            stage = table.c.get("lifecycle_stage", literal("active"))
            query = select(stage, func.count()).select_from(table)
            rows = connection.execute(
                query.group_by(stage) if "lifecycle_stage" in table.c else query
            )
            counts |= {(name, str(row[0])): row[1] for row in rows}
        tokens = known["trackstack_tokens"]
        if engine.dialect.has_table(connection, tokens.name):
            number = connection.execute(select(func.count()).select_from(tokens)).scalar_one()
            counts["tokens", "active"] = number
    return counts


class Metrics:
    """One worker's view."""

    def __init__(self, settings: "RuntimeSettings") -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._settings = settings
        self._engine: Engine | None = None
        self._counted, self._counts = -1e9, dict[tuple[str, str], int]()
        self._store_up = False
        self.requests = CollectorRegistry()
        self._answered = Counter(
            "trackstack_http_requests",
            "Answered requests.",
            ["method", "area", "status"],
            registry=self.requests,
        )
        self._seconds = Histogram(
            "trackstack_http_request_duration_seconds",
            "From a request's first byte to its answer's last.",
            ["area"],
            registry=self.requests,
            buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 600),
        )

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """Note one answered request; a ``status`` of 0 is a client that went away."""
        area = area_of(path)
        named = method if method in _METHODS else "other"
        self._answered.labels(named, area, str(status)).inc()
        self._seconds.labels(area).observe(seconds)

    def render(self) -> bytes:
        """All metrics; asks the database now and then, so not for an event loop."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = self.requests
        if SharedDirectory.path:
            registry = CollectorRegistry()
            cast(Any, MultiProcessCollector)(registry, SharedDirectory.path)
        others = CollectorRegistry()
        others.register(cast(Any, self))
        return generate_latest(registry) + generate_latest(others)

    def collect(self) -> Iterable[Any]:
        """What is read when it is asked for."""
        from runtime.jobs.scheduler import read_state

        yield from job_families(read_state(self._settings.data_dir))
        yield build_info(self._settings.image)
        self._count()
        yield from store_families(self._counts, is_up=self._store_up)

    def _count(self) -> None:
        if time.monotonic() - self._counted < _COUNT_EVERY_SECONDS:
            return
        from sqlalchemy.exc import SQLAlchemyError

        from runtime.database.engine import open_engine

        try:
            self._engine = self._engine or open_engine(self._settings)
            self._counts, self._store_up = count(self._engine), True
        except SQLAlchemyError:
            self._counts, self._store_up = {}, False
            return
        self._counted = time.monotonic()
