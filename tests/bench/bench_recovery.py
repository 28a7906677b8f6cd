"""How long a backup and a recovery of a server take, and how much memory.

`python -m tests.bench.bench_recovery`: 10,000 runs, each with 10 parameters, 10 metrics of 5 points
and 5 tags, and 5 GB of artifacts on SQLite, else with `--database postgresql`. Beside them stand
`cp -r` of the same artifacts, the least that any copy takes, and pg_dump and pg_restore of the same
database.
"""

import argparse
import json
import os
import secrets
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, insert, make_url

from tests.bench.measured import measured
from tests.runtime.databases import PostgreSql, postgresql
from tests.warm import TRACKSTACK

_FILES = 10_000
_MOST_MIB = 400


def _fill(uri: str, ids: list[str]) -> None:
    """A store with these runs."""
    from mlflow.store.db import utils
    from mlflow.store.tracking.dbmodels import models

    engine = create_engine(uri)
    library: Any = utils
    library._initialize_tables(engine)
    tables: Any = models.SqlRun.metadata.tables
    with engine.begin() as connection:
        connection.execute(
            insert(tables["experiments"]),
            {"experiment_id": 0, "name": "Default", "lifecycle_stage": "active"}
            | {"artifact_location": "mlflow-artifacts:/0", "workspace": "default"},
        )
        for start in range(0, len(ids), 1000):
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


def _write(folder: Path, ids: list[str], size: int) -> None:
    """The runs' artifacts, with ``size`` bytes in all."""
    content = secrets.token_bytes(size // _FILES)
    for number in range(_FILES):
        file = folder / "artifacts" / "0" / ids[number % len(ids)] / "artifacts" / f"{number}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(number.to_bytes(8, "big") + content[8:])


def _timed(command: list[str], folder: Path, uri: str) -> tuple[float, float]:
    """Seconds and peak MiB of a command with this data directory and database."""
    os.sync()
    given = {"TRACKSTACK_DATA_DIR": str(folder), "MLFLOW_BACKEND_STORE_URI": uri}
    return measured(command, given)


def _dumped(server: PostgreSql, uri: str, folder: Path) -> dict[str, tuple[float, float]]:
    """PostgreSQL's own way, in and out of the form that it says to be the most flexible."""
    told = {"PGPASSWORD": server.password}
    file = f"--file={folder / 'dump'}"

    def command(name: str, database: str) -> list[str]:
        given = make_url(database)
        options = ("-h", "127.0.0.1", "-p", str(server.port), "-U", given.username or "")
        return [str(server.bin / name), *options, "-d", given.database or ""]

    dump = measured([*command("pg_dump", uri), "-Fc", file], told)
    restored = server.new_database()
    back = [*command("pg_restore", restored), str(folder / "dump")]
    return {"pg_dump": dump, "pg_restore": measured(back, told)}


def main() -> None:
    """Print the figures; exits 1 where memory is not bounded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    server = postgresql() if options.database == "postgresql" else nullcontext()
    with server as there, tempfile.TemporaryDirectory(prefix="trackstack-") as name:
        root = Path(name)
        for one in ("a", "b"):
            (root / one / "store").mkdir(parents=True)
        before, after = (
            there.new_database() if there else f"sqlite:///{root / one}/store/mydb.sqlite"
            for one in ("a", "b")
        )
        ids = [f"{n:032x}" for n in range(options.runs)]
        _fill(before, ids)
        _write(root / "a", ids, int(options.gigabytes * 1e9))
        place = str(root / "backups")
        copy = ["cp", "-r", str(root / "a" / "artifacts"), str(root / "c")]
        figures = {
            "cp -r": _timed(copy, root, before),
            **(_dumped(there, before, root) if there else {}),
            "backup": _timed([TRACKSTACK, "backup", "--to", place], root / "a", before),
            "restore": _timed([TRACKSTACK, "restore", "--from", place], root / "b", after),
        }
    if options.json:
        shown = {each: {"seconds": s, "peak_mib": m} for each, (s, m) in figures.items()}
        print(json.dumps({"runs": options.runs, "gigabytes": options.gigabytes, **shown}))
    else:
        for each, (seconds, peak) in figures.items():
            print(f"{each:10} {seconds:7.1f} s  peak {peak:5.0f} MiB")
        ratio = figures["restore"][0] / figures["cp -r"][0]
        print(f"restore / cp -r: {ratio:.1f} times the time")
    sys.exit(max(peak for _, peak in figures.values()) > _MOST_MIB)


if __name__ == "__main__":
    main()
