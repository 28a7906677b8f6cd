"""Locations that name the old destination itself lead, after a restore, to the new one."""

from pathlib import Path
from typing import Any

import pytest
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import text

from runtime.artifacts.tree import Tree
from runtime.backup import filling, fit, make
from runtime.backup.format import manifest, parts
from runtime.database.engine import open_engine
from runtime.database.uri import store_uri
from runtime.settings import RuntimeSettings
from tests.runtime.backup.stores import client_of, restore
from tests.runtime.filled import StoreMaker, settings_of

pytestmark = pytest.mark.slow

_LOCATIONS = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
    "trace_tags": "value",
}


def _locations(settings: RuntimeSettings) -> list[str]:
    found = list[str]()
    with open_engine(settings).connect() as connection:
        for table, column in _LOCATIONS.items():
            only = "key = 'mlflow.artifactLocation'" if table == "trace_tags" else "1 = 1"
            query = text(f"SELECT {column} FROM {table} WHERE {only} ORDER BY 1")
            found += [str(each) for each in connection.execute(query).scalars() if each]
    return found


def _of(settings: RuntimeSettings, query: str) -> list[object]:
    with open_engine(settings).connect() as connection:
        return list(connection.execute(text(query)).scalars())


def _direct(settings: RuntimeSettings, roots: list[str]) -> None:
    """As of a server that proxies no artifacts, with ``roots`` in turn."""
    with open_engine(settings).begin() as connection:
        for number, (table, column) in enumerate(_LOCATIONS.items()):
            root = roots[number % len(roots)]
            connection.execute(
                text(
                    f"UPDATE {table} SET {column} = :root || substr({column}, 18) "
                    f"WHERE {column} LIKE 'mlflow-artifacts:%'"
                ),
                {"root": root},
            )


@pytest.mark.parametrize("serves", [True, False])
def test_they_lead_to_where_the_artifacts_are_now(
    tmp_path: Path, store_in: StoreMaker, serves: bool
) -> None:
    settings = store_in(tmp_path / "old")
    before = _locations(settings)
    assert sum(each.startswith("mlflow-artifacts:/") for each in before) > 5
    there = str(Path(settings.artifacts_destination).resolve())
    _direct(settings, [there, f"file://{there}"])
    client = client_of(settings)
    other = client.create_experiment("elsewhere", f"{there}-of-another/7")
    tree = Tree(str(tmp_path / "backups"))
    of = make.back_up(settings, tree)
    assert filling.verify(tree, None) == (of, [])

    new: Any = settings_of(tmp_path / "new").model_copy(update={"serve_artifacts": serves})
    restore(new, tree)
    root = "mlflow-artifacts:" if serves else str(Path(new.artifacts_destination))
    wanted = [each.replace("mlflow-artifacts:", root) for each in before]
    assert sorted(_locations(new)) == sorted([*wanted, f"{there}-of-another/7"])
    # What only begins alike is another's.
    assert client_of(new).get_experiment(other).artifact_location == f"{there}-of-another/7"


def test_they_are_moved_once_where_the_new_place_lies_in_the_old(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    settings = store_in(tmp_path / "old")
    before = _locations(settings)
    there = str(Path(settings.artifacts_destination).resolve())
    _direct(settings, [there, f"file://{there}"])
    make.back_up(settings, tree := Tree(str(tmp_path / "backups")))
    update = {"serve_artifacts": False, "given_artifacts_destination": f"{there}/again"}
    new: Any = settings_of(tmp_path / "new").model_copy(update=update)
    restore(new, tree)
    wanted = [each.replace("mlflow-artifacts:", f"{there}/again") for each in before]
    assert sorted(_locations(new)) == sorted(wanted)


@pytest.mark.parametrize(
    ("kind", "shown", "longest"), [("postgresql", "PostgreSQL", 200), ("mysql", "MySQL", 200)]
)
def test_locations_that_become_too_long_are_told_before_a_row_is_dropped(
    tmp_path: Path, store_in: StoreMaker, kind: str, shown: str, longest: int
) -> None:
    settings = store_in(tmp_path / "old")
    there = str(Path(settings.artifacts_destination).resolve())
    _direct(settings, [there])
    of = make.back_up(settings, tree := Tree(str(tmp_path / "backups")))
    tables = parts.tables(manifest.held(tree, of), of, tmp_path)
    assert not list(fit.of_kind(kind, of, tables, tmp_path, now=f"{there}/"))
    # As long as the longest run's location may get, and one more.
    [run] = [str(each) for each in _of(settings, "SELECT max(artifact_uri) FROM runs")]
    fits = "/" + "n" * (longest - len(run) + len(there) - 1)
    assert [p for p in fit.of_kind(kind, of, tables, tmp_path, now=f"{fits}/") if "runs" in p] == []
    [told, *_] = [
        p for p in fit.of_kind(kind, of, tables, tmp_path, now=f"{fits}n/") if "runs" in p
    ]
    assert f"table runs, column artifact_uri: '{fits[:40]}…" in told
    assert f"would have {longest + 1} characters, {shown} takes {longest}" in told
    assert "shorter MLFLOW_ARTIFACTS_DESTINATION" in told
    assert "(row run_uuid=" in told


def test_sqlite_takes_a_location_of_any_length(tmp_path: Path, store_in: StoreMaker) -> None:
    settings = store_in(tmp_path / "old")
    _direct(settings, [str(Path(settings.artifacts_destination).resolve())])
    make.back_up(settings, tree := Tree(str(tmp_path / "backups")))
    far = tmp_path.joinpath(*["n" * 100] * 5)
    update = {"serve_artifacts": False, "given_artifacts_destination": str(far)}
    new: Any = settings_of(tmp_path / "new").model_copy(update=update)
    restore(new, tree)
    [location] = _of(new, "SELECT max(artifact_uri) FROM runs")
    assert str(location).startswith(f"{far}/")
    assert Path(str(location)).is_dir()


def test_a_backup_without_such_locations_is_one_that_an_earlier_version_reads(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    settings, tree = store_in(tmp_path / "old"), Tree(str(tmp_path / "backups"))
    of = make.back_up(settings, tree)
    assert of.roots == ()
    written = (tmp_path / "backups" / of.name / manifest.MANIFEST).read_text()
    assert "roots" not in written
    assert "sealed" not in written


def _archived(settings: RuntimeSettings, place: str) -> tuple[SqlAlchemyStore, str]:
    """A trace whose spans MLflow has moved from the database to ``place``."""
    with open_engine(settings).begin() as connection:
        connection.execute(text("UPDATE trace_info SET timestamp_ms = 1"))
    store = SqlAlchemyStore(store_uri(settings), "mlflow-artifacts:/")
    assert store.archive_traces(resolved_trace_archival_location=place, broader_retention="1m") == 1
    [trace] = _of(settings, "SELECT request_id FROM trace_info")
    return store, str(trace)


@pytest.mark.parametrize("serves", [True, False])
def test_archived_spans_are_found_where_the_artifacts_are_now(
    tmp_path: Path, store_in: StoreMaker, serves: bool
) -> None:
    settings = store_in(tmp_path / "old")
    store, trace = _archived(settings, Path(settings.artifacts_destination).resolve().as_uri())
    wanted = [span.to_dict() for span in store.get_trace(trace).data.spans]
    assert wanted
    told = list[str]()
    make.back_up(settings, tree := Tree(str(tmp_path / "backups")), tell=told.append)
    assert told == []
    (tmp_path / "old").rename(tmp_path / "gone")
    new: Any = settings_of(tmp_path / "new").model_copy(update={"serve_artifacts": serves})
    restore(new, tree)
    found = SqlAlchemyStore(store_uri(new), "mlflow-artifacts:/").get_trace(trace)
    assert [span.to_dict() for span in found.data.spans] == wanted


def test_a_backup_says_which_archived_spans_it_has_not(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    settings, told = store_in(tmp_path / "old"), list[str]()
    _archived(settings, (tmp_path / "archive").as_uri())
    make.back_up(settings, Tree(str(tmp_path / "backups")), tell=told.append)
    [line] = told
    assert line.startswith("1 traces are archived outside of the artifacts: their spans are not")
