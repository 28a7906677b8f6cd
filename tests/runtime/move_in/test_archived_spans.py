"""Spans of traces that an old server's MLflow moved out of its database move in with the rest."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from runtime.artifacts.tree import Tree
from runtime.database.uri import store_uri
from runtime.move_in.command import take
from tests.runtime.backup.stores import restore
from tests.runtime.filled import settings_of

pytestmark = pytest.mark.slow


def _spans(store: SqlAlchemyStore, trace: str) -> list[dict[str, Any]]:
    return [span.to_dict() for span in store.get_trace(trace).data.spans]


@pytest.mark.parametrize("where", ["in the artifacts", "in a folder of its own", "left behind"])
def test_archived_spans_are_found_where_the_artifacts_are_now(where: str, tmp_path: Path) -> None:
    old = tmp_path / "old"
    (root := old / "mlartifacts").mkdir(parents=True)
    uri = f"sqlite:///{old}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    client: Any = mlflow.MlflowClient()
    experiment = client.create_experiment("old", artifact_location=f"{root.as_uri()}/1")
    client.log_text(client.create_run(experiment).info.run_id, "weights", "weights")
    span = client.start_trace("answer", inputs={"q": 1}, experiment_id=experiment)
    client.end_trace(span.trace_id)
    mlflow.flush_trace_async_logging()
    with closing(sqlite3.connect(old / "mlflow.db")) as database, database:
        database.execute("UPDATE trace_info SET timestamp_ms = 1")
    archive = root if where == "in the artifacts" else old / "archive"
    archive.mkdir(exist_ok=True)
    store = SqlAlchemyStore(uri, root.as_uri())
    store.archive_traces(resolved_trace_archival_location=archive.as_uri(), broader_retention="1m")
    wanted = _spans(store, span.trace_id)
    assert wanted

    places = dict.fromkeys([root] if where == "left behind" else [root, archive])
    taken = take(uri, tuple(map(str, places)), (), str(tmp_path / "backups"))
    settings = settings_of(tmp_path / "new")
    restore(settings, Tree(taken["to"]))
    old.rename(tmp_path / "gone")
    found = _spans(SqlAlchemyStore(store_uri(settings), "mlflow-artifacts:/"), span.trace_id)
    outside = [o["count"] for o in taken["outside"] if o["column"] == "trace_tags.value"]
    assert (found, outside) == (([], [1]) if where == "left behind" else (wanted, []))
