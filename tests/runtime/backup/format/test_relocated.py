"""Locations that name the old destination itself lead, after a restore, to the new one."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from runtime.artifacts.tree import Tree
from runtime.backup import filling, make
from runtime.backup.format import manifest
from runtime.database.engine import open_engine
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


def test_a_backup_without_such_locations_is_one_that_an_earlier_version_reads(
    tmp_path: Path, store_in: StoreMaker
) -> None:
    settings, tree = store_in(tmp_path / "old"), Tree(str(tmp_path / "backups"))
    of = make.back_up(settings, tree)
    assert of.roots == ()
    written = (tmp_path / "backups" / of.name / manifest.MANIFEST).read_text()
    assert "roots" not in written
    assert "sealed" not in written
