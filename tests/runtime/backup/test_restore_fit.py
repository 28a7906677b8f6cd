"""A restore looks at what the database takes before it empties it."""

import gzip
import json
import subprocess
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import String, create_engine, text

from runtime.artifacts.tree import Tree
from runtime.backup import filling, fit, make, relocate
from runtime.backup import restore as restoring
from runtime.backup.format import manifest, rows
from runtime.backup.format.manifest import Manifest
from runtime.backup.upgrade import upgrade
from runtime.database.engine import open_engine
from runtime.database.state import revisions
from runtime.database.uri import store_uri
from runtime.errors import UserError
from runtime.settings import RuntimeSettings
from tests import warm
from tests.runtime.backup.stores import client_of, names, run_restore, state_of
from tests.runtime.databases import MariaDb, PostgreSql, Server, mariadb, postgresql
from tests.runtime.filled import settings_of
from tests.warm import TRACKSTACK

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pg() -> Generator[PostgreSql]:
    with postgresql() as running:
        yield running


@pytest.fixture(scope="module")
def my() -> Generator[MariaDb]:
    with mariadb() as running:
        yield running


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest, pg: PostgreSql, my: MariaDb) -> Server:
    return pg if request.param == "postgresql" else my


def _odd(folder: Path, *, cased: bool) -> tuple[RuntimeSettings, Tree]:
    """A SQLite store that holds what others do not take, and a backup of it."""
    settings = settings_of(folder)
    upgrade(settings)
    client = client_of(settings)
    if cased:
        client.create_experiment("Fraud")
        client.create_experiment("fraud")
        run = client.create_run("1").info.run_id
        for key in ("lr", "LR"):
            client.log_param(run, key, "1")
    else:
        client.create_experiment("n" * 300)
        client.create_registered_model("model", description="d" * 6000)
        run = client.create_run("1").info.run_id
        client.set_tag(run, "odd", "a\0b")
    tree = make.destination(settings, None)
    make.back_up(settings, tree)
    return settings, tree


def test_texts_that_the_database_does_not_take_are_told_before_it_is_emptied(
    database: Server, tmp_path: Path
) -> None:
    _, tree = _odd(tmp_path / "odd", cased=False)
    target = settings_of(tmp_path / "target", database.new_database())
    upgrade(target)
    client_of(target).create_experiment("precious")
    before = state_of(target)
    for flags in (("--dry-run",), ()):
        said = run_restore(target, "--from", tree.uri, *flags).stderr
        name = "PostgreSQL" if isinstance(database, PostgreSql) else "MySQL"
        assert "table experiments, column name: 'nnn" in said
        assert f"has 300 characters, {name} takes 256" in said
        assert f"has 6000 characters, {name} takes 5000" in said
        assert ("column value: 'a\\x00b' has a NUL" in said) == (name == "PostgreSQL")
        assert len(said) < 1000
        assert state_of(target) == before


def _verified(tree: Tree, *kinds: str) -> list[str]:
    return filling.verify(tree, None, kinds)[1]


def test_verify_says_what_a_database_of_another_kind_would_not_take(tmp_path: Path) -> None:
    """No such database is there: table, row, and what to do."""
    _, texts = _odd(tmp_path / "texts", cased=False)
    _, keys = _odd(tmp_path / "keys", cased=True)
    assert _verified(texts, "sqlite") == _verified(keys, "postgresql") == []
    both = [TRACKSTACK, "backup", "--to", texts.uri, "verify", "--for", "mysql"]
    done = warm.run(
        [*both, "--for", "postgresql"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    said = done.stderr
    assert "table experiments, column name: 'nnn" in said
    assert "has 300 characters, PostgreSQL takes 256; shorten it" in said
    assert "(row experiment_id=1)" in said
    assert "name='model'" in said
    assert "column value: 'a\\x00b' has a NUL character" in said
    assert "(row key='odd', run_uuid='" in said
    assert len(said.splitlines()) == 5
    assert len(_verified(texts, "mysql")) == 2
    said = "\n".join(_verified(keys, "mysql"))
    assert "table experiments, columns workspace, name" in said
    assert "table params, columns key, run_uuid" in said
    assert "utf8mb4_bin" in said


def _insensitive(server: MariaDb) -> str:
    uri = server.new_database()
    name = uri.rpartition("/")[2]
    sql = f"ALTER DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
    subprocess.run(server.client, input=sql, text=True, check=True, timeout=60)
    return uri


def test_keys_that_a_collation_takes_for_one_are_told_before_it_is_emptied(
    my: MariaDb, tmp_path: Path
) -> None:
    _, tree = _odd(tmp_path / "odd", cased=True)
    target = settings_of(tmp_path / "target", _insensitive(my))
    upgrade(target)
    client_of(target).create_experiment("precious")
    before = state_of(target)
    said = run_restore(target, "--from", tree.uri).stderr
    assert "table experiments, columns workspace, name" in said
    assert "table params, columns key, run_uuid" in said
    assert "utf8mb4_bin" in said
    assert state_of(target) == before
    exact = settings_of(tmp_path / "exact", my.new_database())
    run_restore(exact, "--from", tree.uri, code=0)
    assert {e.name for e in client_of(exact).search_experiments()} >= {"Fraud", "fraud"}


def test_keys_with_accents_fit_where_the_collation_tells_them_apart(
    my: MariaDb, made: tuple[Tree, Manifest], tmp_path: Path
) -> None:
    """Only what the database itself takes for one is refused."""
    target = settings_of(tmp_path / "target", _insensitive(my))
    run_restore(target, "--from", made[0].uri, code=0)


def test_lengths_are_those_of_the_database_s_own_schema(database: Server, tmp_path: Path) -> None:
    """The check reads them from SQLite, whose tables the same migrations make."""
    settings = settings_of(tmp_path, database.new_database())
    upgrade(settings)
    engine = open_engine(settings)
    known = fit.tables_at(revisions(engine)[1])
    with engine.connect() as connection:
        real = rows.reflect(connection)
    checked = 0
    for name, table in known.tables.items():
        if name not in real.tables or name == rows.VERSION_TABLE:
            continue
        for column in table.columns:
            longest = getattr(column.type, "length", None)
            own = real.tables[name].c[column.name].type
            if isinstance(own, String) and longest and own.length:
                # Names of kinds and states are made by MLflow, and short.
                assert longest == own.length or own.length > longest < 21, (name, column.name)
                checked += 1
    assert checked > 100


def test_rows_that_a_database_refuses_all_the_same_are_one_line_with_the_table(
    pg: PostgreSql, made: tuple[Tree, Manifest], tmp_path: Path
) -> None:
    """What the check does not see: here a row whose run is in no table."""
    target = settings_of(tmp_path / "target", pg.new_database())
    engine = open_engine(target)
    folder = Path(made[0].uri) / made[1].name
    tables = {name: folder / part.path for name, part in made[1].tables.items()}
    lines = gzip.decompress(tables["tags"].read_bytes()).splitlines()
    broken = json.loads(lines[-1])
    broken[rows.columns_of(tables["tags"]).index("run_uuid")] = "of no run"
    tables["tags"] = tmp_path / "tags"
    tables["tags"].write_bytes(gzip.compress(b"\n".join([*lines, json.dumps(broken).encode()])))
    with pytest.raises(UserError, match=r"table tags cannot be restored: .*foreign key") as refused:
        filling.load_database(engine, made[1], tables)
    assert refused.value.exit_code == 1


def test_what_a_restore_by_force_replaces_is_backed_up_first(
    database: Server, filled: RuntimeSettings, tmp_path: Path
) -> None:
    tree = Tree(str(tmp_path / "backups"))
    make.back_up(filled, tree)
    target = settings_of(tmp_path / "target", database.new_database())
    upgrade(target)
    client_of(target).create_experiment("precious")
    done = json.loads(run_restore(target, "--from", tree.uri, "--json", code=0).stdout)
    place, _, name = str(done["kept"]).rpartition("/")
    again = run_restore(target, "--from", place, name, "--no-artifacts", "--no-copy", code=0)
    assert "is kept in" not in again.stderr
    assert "precious" in names(target)


def test_locations_are_moved_once_by_every_kind_of_database(
    database: Server, tmp_path: Path
) -> None:
    target = settings_of(tmp_path, database.new_database())
    upgrade(target)
    client = client_of(target)
    for name, location in (("a", "s3://b/old/1"), ("b", "s3://b/o/2"), ("c", "s3://b/older/3")):
        client.create_experiment(name, location)
    relocate.rewrite(open_engine(target), ("s3://b/old/", "s3://b/o/"), "s3://b/o/new/")
    found = {name: client.get_experiment_by_name(name).artifact_location for name in "abc"}
    assert found == {"a": "s3://b/o/new/1", "b": "s3://b/o/new/2", "c": "s3://b/older/3"}


def test_tables_of_others_in_the_database_stay(
    database: Server, made: tuple[Tree, Manifest], tmp_path: Path
) -> None:
    target = settings_of(tmp_path / "target", database.new_database())
    engine = open_engine(target)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (id INTEGER)")
        connection.exec_driver_sql("INSERT INTO theirs VALUES (7)")
    run_restore(target, "--from", made[0].uri, code=0)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT id FROM theirs").scalars().all() == [7]


@pytest.fixture
def negative(pg: PostgreSql, tmp_path: Path) -> RuntimeSettings:
    """A store with a metric of -0.0, as a perfect model's neg_mean_squared_error is."""
    settings = settings_of(tmp_path / "negative", pg.new_database())
    upgrade(settings)
    client = client_of(settings)
    run = client.create_run("0").info.run_id
    client.log_metric(run, "neg_mean_squared_error", 1.0)
    engine = create_engine(store_uri(settings))
    with engine.begin() as connection:
        for table in ("metrics", "latest_metrics"):
            connection.execute(text(f"UPDATE {table} SET value = '-0'::float8"))
    engine.dispose()
    return settings


def test_a_negative_zero_verifies_and_restores_everywhere(
    negative: RuntimeSettings, database: Server, tmp_path: Path
) -> None:
    tree = make.destination(negative, None)
    of = make.back_up(negative, tree)
    assert filling.verify(tree, None)[1] == []
    for target in (
        settings_of(tmp_path / "sqlite"),
        settings_of(tmp_path / "server", database.new_database()),
    ):
        restoring.restore(target, tree.uri, None, force=False, with_artifacts=True, migrate=True)
        run = client_of(target).search_runs(["0"])[0]
        assert run.data.metrics == {"neg_mean_squared_error": 0.0}
        loaded = make.back_up(target, make.destination(target, None))
        assert loaded.tables["metrics"].digest == of.tables["metrics"].digest


def test_a_backup_of_an_earlier_version_with_a_negative_zero_verifies_too(
    negative: RuntimeSettings, tmp_path: Path
) -> None:
    """Its digests tell -0.0 from 0.0; the rows themselves are what counts."""
    tree = make.destination(negative, None)
    of = make.back_up(negative, tree)
    earlier = replace(
        of,
        store=None,
        format=1,
        tables={
            **of.tables,
            "metrics": replace(of.tables["metrics"], digest="0" * 64),
        },
    )
    (Path(tree.uri) / of.name / manifest.MANIFEST).write_text(earlier.to_json())
    assert filling.verify(tree, None)[1] == []
    target = settings_of(tmp_path / "sqlite")
    restoring.restore(target, tree.uri, None, force=False, with_artifacts=True, migrate=True)
    assert client_of(target).search_runs(["0"])
