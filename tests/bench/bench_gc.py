"""gc beside `mlflow gc`, in one run on PostgreSQL: `python -m tests.bench.bench_gc`.

Half of the runs of a store are deleted, each with 10 parameters, 10 metrics of 5 points, 5 tags and
3 artifacts. Runs a second are those of the purge itself: what a pass over nothing takes is taken
off. `mlflow gc` becomes slower a run the more there are, so both get equally many.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from tests.bench.measured import measured
from tests.runtime.databases import PostgreSql, postgresql
from tests.warm import TRACKSTACK

_MLFLOW = str(Path(TRACKSTACK).with_name("mlflow"))
# Ordered, because what a run logs lies together in a real store.
_FILL = (
    """INSERT INTO runs (run_uuid, name, experiment_id, lifecycle_stage, start_time, deleted_time,
        artifact_uri, status, source_type, user_id)
    SELECT md5(n::text), 'run', 0, CASE WHEN n <= :deleted THEN 'deleted' ELSE 'active' END, n,
        CASE WHEN n <= :deleted THEN 1 END, :root || '/0/' || md5(n::text) || '/artifacts',
        'FINISHED', 'LOCAL', 'someone' FROM generate_series(1, :runs) n""",
    """INSERT INTO params (key, value, run_uuid)
    SELECT 'p' || k, 'value', run_uuid FROM runs, generate_series(1, 10) k ORDER BY runs.ctid""",
    """INSERT INTO tags (key, value, run_uuid)
    SELECT 't' || k, 'value', run_uuid FROM runs, generate_series(1, 5) k ORDER BY runs.ctid""",
    """INSERT INTO metrics (key, value, timestamp, step, is_nan, run_uuid)
    SELECT 'm' || k, 0.5, s, s, false, run_uuid
    FROM runs, generate_series(1, 10) k, generate_series(1, 5) s ORDER BY runs.ctid""",
    """INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
    SELECT 'm' || k, 0.5, 5, 5, false, run_uuid
    FROM runs, generate_series(1, 10) k ORDER BY runs.ctid""",
)
# What filling leaves to be done later must not be done during a pass: a store is filled in months.
_SETTLE = ("VACUUM ANALYZE", "CHECKPOINT")


@dataclass(frozen=True)
class Figure:
    """One pass: how many runs it purged, how fast, and its peak memory."""

    runs: int
    seconds: float
    runs_a_second: float
    peak_mib: float


def _fill(server: PostgreSql, root: Path, runs: int, deleted: int) -> str:
    """A new store; its URI."""
    from mlflow.store.db import utils

    uri = server.new_database()
    engine = create_engine(uri)
    library: Any = utils
    library._initialize_tables(engine)
    values = {"runs": runs, "deleted": deleted, "root": root.as_uri()}
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO experiments (experiment_id, name, workspace, lifecycle_stage,"
                " artifact_location) VALUES (0, 'Default', 'default', 'active', :root)"
            ),
            values,
        )
        for statement in _FILL:
            connection.execute(text(statement), values)
        ids = connection.execute(text("SELECT run_uuid FROM runs WHERE deleted_time = 1"))
        for (run,) in ids:
            folder = root / "0" / run / "artifacts"
            folder.mkdir(parents=True)
            for name in ("a", "b", "c"):
                (folder / name).write_bytes(b"x")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in _SETTLE:
            connection.execute(text(statement))
    engine.dispose()
    os.sync()
    return uri


def _pass(command: list[str], uri: str, root: Path) -> tuple[float, float]:
    """Seconds and peak MiB of a command."""
    environment = {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_ARTIFACTS_DESTINATION": str(root),
        "TRACKSTACK_DATA_DIR": str(root),
    }
    return measured(command, environment)


def _measure(server: PostgreSql, kind: str, runs: int, deleted: int) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        uri = _fill(server, root, runs, deleted)
        command = (
            [TRACKSTACK, "gc", "--older-than", "0d0h0m0s", "--json"]
            if kind == "ours"
            else [_MLFLOW, "gc", "--backend-store-uri", uri, "--tracking-uri", "http://127.0.0.1:9"]
        )
        seconds, peak = _pass(command, uri, root)
        nothing, _ = _pass(command, uri, root)
    took = seconds - nothing
    return Figure(deleted, round(seconds, 1), round(deleted / took, 1), round(peak, 1))


def main() -> None:
    """Print the figures; exits 1 below 25 times `mlflow gc`, or where memory grows with runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=10_000, help="that are deleted, of twice as many"
    )
    parser.add_argument("--large", type=int, default=0, help="more deleted runs, for the memory")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    with postgresql() as server:
        figures = {
            "mlflow gc": _measure(server, "theirs", 2 * options.runs, options.runs),
            "ours": _measure(server, "ours", 2 * options.runs, options.runs),
        }
        if options.large:
            figures["ours, large"] = _measure(server, "ours", 2 * options.large, options.large)
    ratio = figures["ours"].runs_a_second / figures["mlflow gc"].runs_a_second
    growth = figures.get("ours, large", figures["ours"]).peak_mib / figures["ours"].peak_mib
    if options.json:
        shown = {name: asdict(figure) for name, figure in figures.items()}
        print(json.dumps({"figures": shown, "ratio": ratio, "memory growth": growth}, indent=2))
    else:
        for name, figure in figures.items():
            print(
                f"{name:12} {figure.runs:7} runs in {figure.seconds:6.1f} s  "
                f"{figure.runs_a_second:8.1f} runs/s  peak {figure.peak_mib:5.0f} MiB"
            )
        print(f"ours / mlflow gc: {ratio:.1f} times the runs a second")
    sys.exit(ratio < 25 or growth > 1.2 or figures["ours"].peak_mib > 300)


if __name__ == "__main__":
    main()
