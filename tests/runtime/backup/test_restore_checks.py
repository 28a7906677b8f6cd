"""A restore looks at all of a backup, and at what the database takes, before it changes a row."""

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import String, create_engine, text

from runtime.artifacts.tree import Tree
from runtime.backup import arrival, filling, fit, make, schema
from runtime.backup import restore as restoring
from runtime.backup.format import manifest, rows
from runtime.backup.format.manifest import Manifest
from runtime.backup.upgrade import upgrade
from runtime.database import state
from runtime.database.engine import open_engine
from runtime.database.state import revisions
from runtime.database.uri import store_uri
from runtime.errors import UserError
from runtime.settings import RuntimeSettings
from tests.runtime.databases import MariaDb, PostgreSql, Server, mariadb, postgresql
from tests.runtime.filled import settings_of
from tests.runtime.serving import TRACKSTACK, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(filled: RuntimeSettings) -> tuple[Path, Manifest]:
    tree = make.destination(filled, None)
    of = make.back_up(filled, tree)
    return Path(tree.uri) / of.name, of


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


def _run(
    settings: RuntimeSettings, *arguments: str, code: int = 1
) -> "subprocess.CompletedProcess[str]":
    environment = {
        **os.environ,
        "TRACKSTACK_DATA_DIR": str(settings.data_dir),
        "MLFLOW_BACKEND_STORE_URI": store_uri(settings),
    }
    done = subprocess.run(
        [TRACKSTACK, "restore", "--force", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def _state(settings: RuntimeSettings) -> Any:
    """All that a restore could change: tables, rows, files."""
    engine = open_engine(settings)
    with engine.connect() as connection:
        tables = rows.reflect(connection)
        held = {t.name: rows.summarise(connection, t) for t in tables.sorted_tables}
    engine.dispose()
    root = Path(settings.artifacts_destination)
    return held, sorted((str(f), f.read_bytes()) for f in root.rglob("*") if f.is_file())


def _shorter(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


def _other(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b"!")


_BREAKAGES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a table is short": ("database/runs.jsonl.gz", _shorter, "checksum is another"),
    "a table is gone": ("database/tags.jsonl.gz", Path.unlink, "cannot be read"),
    "the last table": ("database/trackstack_tokens.jsonl.gz", _other, "checksum is another"),
    "the listing": ("artifacts.jsonl.gz", _shorter, "checksum is another"),
    "an artifact is gone": ("artifacts/**/weights.bin", Path.unlink, "weights.bin: is missing"),
    "an artifact is other": ("artifacts/**/weights.bin", _other, "its checksum is another"),
}


@pytest.mark.parametrize("what", _BREAKAGES)
def test_a_broken_backup_changes_nothing(
    what: str, made: tuple[Path, Manifest], filled: RuntimeSettings, tmp_path: Path
) -> None:
    shutil.copytree(filled.data_dir, tmp_path / "full", ignore=shutil.ignore_patterns("backups"))
    full = settings_of(tmp_path / "full")
    tree = tmp_path / "backups"
    shutil.copytree(made[0], tree / made[1].name)
    before = _state(full)
    pattern, breaking, said = _BREAKAGES[what]
    breaking(sorted((tree / made[1].name).glob(pattern))[0])
    for flags in (("--dry-run",), ()):
        done = _run(full, "--from", str(tree), *flags)
        assert said in done.stderr
        assert "would restore" not in done.stdout
        assert _state(full) == before
        assert not state.is_unfinished(open_engine(full))
    if "artifact" in what:
        # The database alone is whole.
        _run(full, "--from", str(tree), "--no-artifacts", code=0)


def test_an_artifact_that_a_store_lacks_is_found_before_a_row_is_changed(
    filled: RuntimeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is no directory, by MLflow's own client of it: here another server's."""
    with serving(tmp_path / "store") as server:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", server.token)
        tree = Tree(f"{server.uri}/api/2.0/mlflow-artifacts/artifacts/backups")
        of = make.back_up(filled, tree)
        shutil.copytree(filled.data_dir / "store", tmp_path / "full" / "store")
        full = settings_of(tmp_path / "full")
        before = _state(full)
        there = tmp_path / "store" / "artifacts" / "backups" / of.name / "artifacts"
        first, second, *_ = sorted(there.rglob("weights.bin"))
        first.unlink()
        _shorter(second)
        done = _run(full, "--from", tree.uri)
        assert "weights.bin: is missing" in done.stderr
        assert "bytes, not" in done.stderr
        assert _state(full) == before


def _file_for_folder(artifacts: Path) -> None:
    shutil.rmtree(artifacts / "1")
    (artifacts / "1").write_text("a file where the backup has a folder")


def _folder_for_file(artifacts: Path) -> None:
    file = next(artifacts.rglob("weights.bin"))
    file.unlink()
    file.mkdir()
    (file / "kept").write_text("a file where the backup has none")


@pytest.mark.parametrize("stand", [_file_for_folder, _folder_for_file])
def test_artifacts_that_stand_in_the_way_are_told_before_a_row_is_changed(
    stand: Callable[[Path], None],
    made: tuple[Path, Manifest],
    filled: RuntimeSettings,
    tmp_path: Path,
) -> None:
    shutil.copytree(filled.data_dir, tmp_path / "full", ignore=shutil.ignore_patterns("backups"))
    full = settings_of(tmp_path / "full")
    stand(Path(full.artifacts_destination))
    before = _state(full)
    for flags in (("--dry-run",), ()):
        done = _run(full, "--from", str(made[0].parent), *flags)
        assert "nothing was changed" in done.stderr
        assert "weights.bin: " in done.stderr
        assert _state(full) == before
        assert not state.is_unfinished(open_engine(full))


def test_a_disk_that_refuses_the_artifacts_leaves_the_store_as_it_was(
    filled: RuntimeSettings, tmp_path: Path
) -> None:
    """No file may be larger than so much: a disk's refusal, at a size of our own."""
    for name in ("source", "full"):
        ignored = shutil.ignore_patterns("backups")
        shutil.copytree(filled.data_dir, tmp_path / name, ignore=ignored)
    source, full = settings_of(tmp_path / "source"), settings_of(tmp_path / "full")
    large = Path(source.artifacts_destination) / "1" / "large.bin"
    large.write_bytes(b"x" * (8 << 20))
    tree = make.destination(source, None)
    make.back_up(source, tree)
    before = _state(full)
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 4096; exec {TRACKSTACK} restore --force --from {tree.uri}"],
        env={"TRACKSTACK_DATA_DIR": str(full.data_dir), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert "large.bin" in done.stderr
    assert _state(full) == before
    assert not state.is_unfinished(open_engine(full))


def test_a_disk_that_is_too_small_is_told_beforehand(tmp_path: Path) -> None:
    listing = tmp_path / "listing"
    listing.write_bytes(gzip.compress(json.dumps(["1/large.bin", 1 << 60, "0" * 64]).encode()))
    (told,) = arrival.problems(Tree(str(tmp_path)), listing)
    assert f"{1 << 60} bytes are to come" in told


def test_a_dry_run_of_a_whole_backup_says_what_would_come(
    made: tuple[Path, Manifest], tmp_path: Path
) -> None:
    empty = settings_of(tmp_path)
    done = _run(empty, "--from", str(made[0].parent), "--dry-run", code=0)
    assert done.stdout.strip() == f"would restore {made[1].name}: {made[1].rows} rows, 3 artifacts"
    assert not schema.holds_data(open_engine(empty))


def _client(settings: RuntimeSettings) -> Any:
    import mlflow

    uri = store_uri(settings)
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def _odd(folder: Path, *, cased: bool) -> tuple[RuntimeSettings, Tree]:
    """A SQLite store that holds what others do not take, and a backup of it."""
    settings = settings_of(folder)
    upgrade(settings)
    client = _client(settings)
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
    _client(target).create_experiment("precious")
    before = _state(target)
    for flags in (("--dry-run",), ()):
        said = _run(target, "--from", tree.uri, *flags).stderr
        name = "PostgreSQL" if isinstance(database, PostgreSql) else "MySQL"
        assert "table experiments, column name: 'nnn" in said
        assert f"has 300 characters, {name} takes 256" in said
        assert f"has 6000 characters, {name} takes 5000" in said
        assert ("column value: 'a\\x00b' has a NUL" in said) == (name == "PostgreSQL")
        assert len(said) < 1000
        assert _state(target) == before


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
    _client(target).create_experiment("precious")
    before = _state(target)
    said = _run(target, "--from", tree.uri).stderr
    assert "table experiments, columns workspace, name" in said
    assert "table params, columns key, run_uuid" in said
    assert "utf8mb4_bin" in said
    assert _state(target) == before
    exact = settings_of(tmp_path / "exact", my.new_database())
    _run(exact, "--from", tree.uri, code=0)
    assert {e.name for e in _client(exact).search_experiments()} >= {"Fraud", "fraud"}


def test_keys_with_accents_fit_where_the_collation_tells_them_apart(
    my: MariaDb, made: tuple[Path, Manifest], tmp_path: Path
) -> None:
    """Only what the database itself takes for one is refused."""
    target = settings_of(tmp_path / "target", _insensitive(my))
    _run(target, "--from", str(made[0].parent), code=0)


def test_lengths_are_those_of_the_database_s_own_schema(database: Server, tmp_path: Path) -> None:
    """The check reads them from SQLite, whose tables the same migrations make."""
    settings = settings_of(tmp_path, database.new_database())
    upgrade(settings)
    engine = open_engine(settings)
    known = fit.tables_at(revisions(engine)[1], tmp_path)
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
    pg: PostgreSql, made: tuple[Path, Manifest], tmp_path: Path
) -> None:
    """What the check does not see: here a row whose run is in no table."""
    target = settings_of(tmp_path / "target", pg.new_database())
    engine = open_engine(target)
    tables = {name: made[0] / part.path for name, part in made[1].tables.items()}
    lines = gzip.decompress(tables["tags"].read_bytes()).splitlines()
    broken = json.loads(lines[-1])
    broken[rows.columns_of(tables["tags"]).index("run_uuid")] = "of no run"
    tables["tags"] = tmp_path / "tags"
    tables["tags"].write_bytes(gzip.compress(b"\n".join([*lines, json.dumps(broken).encode()])))
    with pytest.raises(UserError, match=r"table tags cannot be restored: .*foreign key") as refused:
        filling.load_database(engine, made[1], tables)
    assert refused.value.exit_code == 1


def test_tables_of_others_in_the_database_stay(
    database: Server, made: tuple[Path, Manifest], tmp_path: Path
) -> None:
    target = settings_of(tmp_path / "target", database.new_database())
    engine = open_engine(target)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (id INTEGER)")
        connection.exec_driver_sql("INSERT INTO theirs VALUES (7)")
    _run(target, "--from", str(made[0].parent), code=0)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT id FROM theirs").scalars().all() == [7]


@pytest.fixture
def negative(pg: PostgreSql, tmp_path: Path) -> RuntimeSettings:
    """A store with a metric of -0.0, as a perfect model's neg_mean_squared_error is."""
    settings = settings_of(tmp_path / "negative", pg.new_database())
    upgrade(settings)
    client = _client(settings)
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
        run = _client(target).search_runs(["0"])[0]
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
    assert _client(target).search_runs(["0"])
