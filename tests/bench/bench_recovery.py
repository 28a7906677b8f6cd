"""How long a backup and a recovery of a server take, and how much memory.

`python -m tests.bench.bench_recovery`: 10,000 runs, each with 10 parameters, 10 metrics of 5 points
and 5 tags, and 5 GB of artifacts on SQLite. Beside them stands `cp -r` of the same artifacts, the
least that any copy takes.
"""

import argparse
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, insert

from tests.bench.measured import measured
from tests.warm import TRACKSTACK

_FILES = 10_000
_MOST_MIB = 400


def _fill(folder: Path, runs: int, size: int) -> None:
    """A store with ``runs``, whose artifacts have ``size`` bytes in all."""
    from mlflow.store.db import utils
    from mlflow.store.tracking.dbmodels import models

    (folder / "store").mkdir(parents=True)
    engine = create_engine(f"sqlite:///{folder}/store/mydb.sqlite")
    library: Any = utils
    library._initialize_tables(engine)
    tables: Any = models.SqlRun.metadata.tables
    ids = [f"{n:032x}" for n in range(runs)]
    with engine.begin() as connection:
        connection.execute(
            insert(tables["experiments"]),
            {"experiment_id": 0, "name": "Default", "lifecycle_stage": "active"}
            | {"artifact_location": "mlflow-artifacts:/0", "workspace": "default"},
        )
        for start in range(0, runs, 1000):
            some = ids[start : start + 1000]
            connection.execute(
                insert(tables["runs"]),
                [
                    {"run_uuid": run, "name": "run", "experiment_id": 0, "status": "FINISHED"}
                    | {"lifecycle_stage": "active", "start_time": 1, "user_id": "someone"}
                    | {"artifact_uri": f"mlflow-artifacts:/0/{run}/artifacts"}
                    for run in some
                ],
            )
            for name, number in (("params", 10), ("tags", 5)):
                rows = [
                    {"run_uuid": run, "key": f"k{k}", "value": "v"}
                    for run in some
                    for k in range(number)
                ]
                connection.execute(insert(tables[name]), rows)
            points = [
                {"run_uuid": run, "key": f"m{k}", "value": 0.5, "timestamp": s, "step": s}
                | {"is_nan": False}
                for run in some
                for k in range(10)
                for s in range(5)
            ]
            connection.execute(insert(tables["metrics"]), points)
            connection.execute(insert(tables["latest_metrics"]), points[::5])
    engine.dispose()
    content = secrets.token_bytes(size // _FILES)
    for number in range(_FILES):
        file = folder / "artifacts" / "0" / ids[number % runs] / "artifacts" / f"{number}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(number.to_bytes(8, "big") + content[8:])


def _timed(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds and peak MiB of a command with this data directory."""
    os.sync()
    return measured(command, {"TRACKSTACK_DATA_DIR": str(folder)})


def main() -> None:
    """Print the figures; exits 1 where memory is not bounded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trackstack-") as name:
        root = Path(name)
        _fill(root / "a", options.runs, int(options.gigabytes * 1e9))
        place = str(root / "backups")
        figures = {
            "cp -r": _timed(["cp", "-r", str(root / "a" / "artifacts"), str(root / "c")], root),
            "backup": _timed([TRACKSTACK, "backup", "--to", place], root / "a"),
            "restore": _timed([TRACKSTACK, "restore", "--from", place], root / "b"),
        }
    if options.json:
        shown = {each: {"seconds": s, "peak_mib": m} for each, (s, m) in figures.items()}
        print(json.dumps({"runs": options.runs, "gigabytes": options.gigabytes, **shown}))
    else:
        for each, (seconds, peak) in figures.items():
            print(f"{each:8} {seconds:7.1f} s  peak {peak:5.0f} MiB")
        ratio = figures["restore"][0] / figures["cp -r"][0]
        print(f"restore / cp -r: {ratio:.1f} times the time")
    sys.exit(max(peak for _, peak in figures.values()) > _MOST_MIB)


if __name__ == "__main__":
    main()
