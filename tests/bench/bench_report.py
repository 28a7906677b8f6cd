"""report of many runs, beside the store: `python -m tests.bench.bench_report --runs 100000`.

The store has old runs, each with metrics, their history, a tag and a nested one in ten, in a
hundred experiments; one experiment in two is in use. The rows are written at once, as no client
could in this time.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine, insert

from runtime.database.engine import open_engine
from runtime.database.schema import tables
from tests.runtime.databases import Server, mariadb, postgresql
from tests.runtime.filled import settings_of
from tests.runtime.serving import serving

_EXPERIMENTS, _METRICS, _STEPS = 100, 3, 5
_PIECE = 10000
_DAY_MS = 24 * 60 * 60 * 1000
_DATABASES = {"sqlite": nullcontext, "postgresql": postgresql, "mariadb": mariadb}


def _rows(runs: int, now: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Table and row."""
    for number in range(1, _EXPERIMENTS + 1):
        yield (
            "experiments",
            {
                "experiment_id": number,
                "name": f"experiment {number}",
                "workspace": "default",
                "artifact_location": f"mlflow-artifacts:/{number}",
                "lifecycle_stage": "active",
                "creation_time": now - 400 * _DAY_MS,
                "last_update_time": now - 400 * _DAY_MS,
            },
        )
    for number in range(runs):
        run, experiment = f"{number:032x}", number % _EXPERIMENTS + 1
        in_use = experiment % 2 and number < 2 * _EXPERIMENTS
        ended = now - (1 if in_use else 100) * _DAY_MS
        yield (
            "runs",
            {
                "run_uuid": run,
                "name": f"run {number}",
                "source_type": "LOCAL",
                "user_id": "ann",
                "status": "FINISHED",
                "start_time": ended - 1000,
                "end_time": ended,
                "lifecycle_stage": "active",
                "artifact_uri": f"mlflow-artifacts:/{experiment}/{run}/artifacts",
                "experiment_id": experiment,
            },
        )
        if number % 10 == 0:
            parent = f"{number // 10:032x}"
            yield "tags", {"run_uuid": run, "key": "mlflow.parentRunId", "value": parent}
        for metric in range(_METRICS):
            point = {"run_uuid": run, "key": f"m{metric}", "value": 0.5, "is_nan": False}
            yield "latest_metrics", {**point, "timestamp": ended, "step": _STEPS}
            for step in range(_STEPS):
                yield "metrics", {**point, "timestamp": ended, "step": step}


def _fill(engine: Engine, runs: int, now: int) -> None:
    known = tables().tables
    waiting: dict[str, list[dict[str, Any]]] = {}
    with engine.begin() as connection:
        for table, row in _rows(runs, now):
            rows = waiting.setdefault(table, [])
            rows.append(row)
            if len(rows) == _PIECE:
                for name, given in waiting.items():
                    if given:
                        connection.execute(insert(known[name]), given)
                        given.clear()
        for name, given in waiting.items():
            if given:
                connection.execute(insert(known[name]), given)


def main() -> None:
    """Print how long a report and a scheduled dry run take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--database", choices=_DATABASES, default="sqlite")
    given = parser.parse_args()
    start: AbstractContextManager[Server | None] = _DATABASES[given.database]()
    with tempfile.TemporaryDirectory() as folder, start as database:
        uri = database.new_database() if database else None
        named = {"MLFLOW_BACKEND_STORE_URI": uri} if uri else {}
        with serving(Path(folder), **cast("dict[str, Any]", named)) as server:
            _fill(open_engine(settings_of(Path(folder), uri)), given.runs, int(time.time() * 1000))
            for what in (("report", "--json"), ("prune", "--scheduled", "--dry-run", "--json")):
                began = time.monotonic()
                done = server.run(*what)
                seconds = time.monotonic() - began
                if done.returncode:
                    raise SystemExit(done.stderr)
                found: Any = json.loads(done.stdout)
                stale = len(found) if what[0] == "report" else found["deleted"]["run"]
                print(f"{given.database}, {given.runs} runs: {what[0]} {seconds:.1f} s, {stale}")


if __name__ == "__main__":
    main()
