"""prune beside deleting one by one with MLflow's client: `python -m tests.bench.bench_prune`.

One server on PostgreSQL with stale runs: some are deleted by a loop over `MlflowClient`, which is
what a script does today, as many by `trackstack prune` from an experiment in use (run by run, as
MLflow's API has no other way) and as many with a whole stale experiment (which takes its runs
along). Client and server share this machine's cores, so that concurrency gains little here.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from tests.runtime.databases import postgresql
from tests.runtime.serving import Serving, serving


def _make_runs(client: Any, name: str, number: int) -> list[str]:
    experiment = client.create_experiment(name)
    runs = [client.create_run(experiment, start_time=1).info.run_id for _ in range(number)]
    for run in runs:
        client.set_terminated(run, end_time=2)
    return runs


def _one_by_one(client: Any, number: int) -> float:
    began = time.monotonic()
    experiment = client.get_experiment_by_name("plain").experiment_id
    for run in client.search_runs([experiment], max_results=number):
        client.delete_run(run.info.run_id)
    return time.monotonic() - began


def _ours(server: Serving, number: int) -> float:
    began = time.monotonic()
    done = server.run("prune", "--yes", "--more-than-half", "--json")
    seconds = time.monotonic() - began
    deleted = json.loads(done.stdout)["deleted"]["run"]
    if deleted != number:
        raise SystemExit(f"prune deleted {deleted} runs, not {number}")
    return seconds


def main() -> None:
    """Print all three, and their ratios to the first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="stale runs for each of the three")
    runs: int = parser.parse_args().runs
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    with tempfile.TemporaryDirectory() as folder, postgresql() as database:
        uri = database.new_database()
        with serving(Path(folder), MLFLOW_BACKEND_STORE_URI=uri) as server:
            import mlflow

            os.environ["MLFLOW_TRACKING_TOKEN"] = server.token
            client: Any = mlflow.MlflowClient(tracking_uri=server.uri, registry_uri=server.uri)
            _make_runs(client, "plain", runs)
            plain = _one_by_one(client, runs)
            starting = _ours(server, 0)
            _make_runs(client, "in use", runs)
            in_use = _ours(server, runs)
            _make_runs(client, "whole", runs)
            with create_engine(uri).begin() as connection:
                connection.exec_driver_sql(
                    "UPDATE experiments SET last_update_time = 2 WHERE name = 'whole'"
                )
            whole = _ours(server, runs)
    print(f"{runs} stale runs; {starting:.1f} s of a command are its start and its search")
    for what, seconds in (
        ("MlflowClient, run by run", plain),
        ("prune, runs of an experiment in use", in_use),
        ("prune, a whole experiment", whole),
    ):
        print(f"{what:36} {seconds:6.1f} s  ratio {plain / seconds:5.1f}")


if __name__ == "__main__":
    main()
