"""upgrade: on an empty store, an older one, one that cannot be migrated, and by two at once."""

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from runtime.backup import upgrade as upgrading
from runtime.backup.upgrade import upgrade
from runtime.database.engine import open_engine
from runtime.database.lock import is_held, only_one
from runtime.database.state import revisions
from runtime.errors import UserError
from tests import warm
from tests.runtime.backup.stores import INSERT, OLD, make_old, names
from tests.runtime.databases import MariaDb, Server, mariadb_with_standby, postgresql
from tests.runtime.filled import settings_of
from tests.warm import TRACKSTACK

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _no_server_is_up(  # pyright: ignore[reportUnusedFunction]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whose writes a migration in this process would have to wait for, for 2 s."""
    monkeypatch.setattr(upgrading, "SERVERS_LOOK_SECONDS", 0.0)


@pytest.fixture(scope="module", params=[postgresql, mariadb_with_standby])
def database(request: pytest.FixtureRequest) -> Generator[Server]:
    with request.param() as running:
        yield running


def _environment(data_dir: Path, uri: str | None = None) -> dict[str, str]:
    given = {"MLFLOW_BACKEND_STORE_URI": uri} if uri else {}
    return {**os.environ, "TRACKSTACK_DATA_DIR": str(data_dir), **given}


def _run(data_dir: Path, uri: str | None = None, *arguments: str) -> Any:
    return warm.run(
        [TRACKSTACK, *(arguments or ("upgrade", "--json"))],
        env=_environment(data_dir, uri),
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_an_empty_store_is_made_and_nothing_is_done_twice(tmp_path: Path) -> None:
    first, second = (json.loads(_run(tmp_path).stdout) for _ in range(2))
    assert first["from"] is None
    assert second == {"from": first["to"], "to": first["to"], "backup": None}


def test_an_older_schema_on_sqlite_is_copied_and_migrated(tmp_path: Path) -> None:
    settings = make_old(tmp_path)
    done = upgrade(settings)
    assert done["from"] == OLD
    assert "e" in names(settings)
    with sqlite3.connect(str(done["backup"])) as copy:
        assert copy.execute("SELECT name FROM experiments").fetchall() == [("e",)]


def test_an_older_schema_on_a_server_is_backed_up_and_migrated(
    database: Server, tmp_path: Path
) -> None:
    settings = make_old(tmp_path, database.new_database())
    done = upgrade(settings)
    assert (done["from"], revisions(open_engine(settings))[0]) == (OLD, done["to"])
    assert "e" in names(settings)
    assert (Path(str(done["backup"])) / "manifest.json").exists()


def test_a_store_of_a_newer_mlflow_is_left_alone_and_no_backup_is_made(
    database: Server, tmp_path: Path
) -> None:
    """An image was rolled back: its server starts again and again."""
    for uri in (database.new_database(), None):
        folder = tmp_path / str(uri is None)
        settings = settings_of(folder, uri)
        upgrade(settings)
        with open_engine(settings).begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'feed00000000'")
        token = {"MLFLOW_TRACKING_TOKEN": "not of any use", "TRACKSTACK_UPGRADE": "true"}
        for arguments in (("upgrade",), ("server",), ("backup", "--to", str(folder / "backups"))):
            done = warm.run(
                [TRACKSTACK, *arguments],
                env={**_environment(folder, uri), **token},
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 1, done.stdout + done.stderr
            assert "(feed00000000) is of a newer MLflow than this one" in done.stderr
            assert "Traceback" not in done.stderr
        assert not (folder / "backups").exists()
        assert not list(folder.rglob("*.before-upgrade-*"))


def test_a_server_does_not_migrate_an_older_store_by_itself(
    database: Server, tmp_path: Path
) -> None:
    """One that lacks tables, which MLflow would make with nothing backed up."""
    for uri in (database.new_database(), None):
        folder = tmp_path / str(uri is None)
        settings = make_old(folder, uri)
        token = {"MLFLOW_TRACKING_TOKEN": "not of any use"}
        done = warm.run(
            [TRACKSTACK, "server"],
            env={**_environment(folder, uri), **token},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 1
        assert "older than this MLflow's; migrate it with `trackstack upgrade`" in done.stderr
        assert revisions(open_engine(settings))[0] == OLD


def _make_unmigratable(settings: Any) -> None:
    """A table that a migration half way will want to make is there already."""
    with open_engine(settings).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE trace_info (request_id INTEGER PRIMARY KEY)")


def test_a_migration_that_fails_on_sqlite_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    settings = make_old(tmp_path)
    _make_unmigratable(settings)
    done = _run(tmp_path)
    assert done.returncode == 1
    assert "the store is as it was" in done.stderr
    assert "Traceback" not in done.stderr
    assert revisions(open_engine(settings))[0] == OLD
    assert names(settings) == ["e"]


def test_what_clients_write_during_a_migration_that_fails_is_kept(tmp_path: Path) -> None:
    settings = make_old(tmp_path)
    _make_unmigratable(settings)
    written, is_over = list[int](), Event()

    def write() -> None:
        path = str(open_engine(settings).url.database)
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as client:
            while not is_over.is_set():
                number = 1000 + len(written)
                client.execute(INSERT.replace("7, 'e'", f"{number}, '{number}'"))
                written.append(number)
                time.sleep(0.001)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not written:
            time.sleep(0.01)
        with pytest.raises(UserError, match="the store is as it was"):
            upgrade(settings)
        is_over.set()
        writing.result()
    assert revisions(open_engine(settings))[0] == OLD
    assert sorted(names(settings)) == sorted(["e", *map(str, written)])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("INSERT INTO alembic_version VALUES ('451aebb31d03')", "has 2 schema revisions"),
        ("DELETE FROM alembic_version", "has MLflow's tables and no schema revision"),
    ],
)
def test_a_store_of_no_one_revision_is_said_in_words(
    change: str, said: str, tmp_path: Path
) -> None:
    settings = make_old(tmp_path)
    with open_engine(settings).begin() as connection:
        connection.exec_driver_sql(change)
    for arguments in (("upgrade",), ("backup", "--to", str(tmp_path / "backups"))):
        done = _run(tmp_path, None, *arguments)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_migration_that_fails_on_a_server_leaves_it_or_says_what_restores_it(
    database: Server, tmp_path: Path
) -> None:
    uri = database.new_database()
    settings = make_old(tmp_path, uri)
    _make_unmigratable(settings)
    done = _run(tmp_path, uri)
    assert done.returncode == 1
    password = make_url(uri).password
    assert password
    assert password not in done.stderr
    if uri.startswith("mysql"):
        _, _, command = done.stderr.strip().rpartition("restore with: trackstack ")
        restored = _run(tmp_path, uri, *command.split())
        assert restored.returncode == 0, restored.stderr
    else:
        assert "the store is as it was" in done.stderr
    assert revisions(open_engine(settings))[0] == OLD
    assert names(settings) == ["e"]


def test_a_server_that_lets_nobody_make_a_trigger_is_told_of_with_its_cure(
    database: Server, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path, database.new_database())
    if not isinstance(database, MariaDb):
        # PostgreSQL knows no such refusal.
        assert upgrade(settings)["from"] is None
        return
    trusts = "SET GLOBAL log_bin_trust_function_creators = {}"
    database.run(trusts.format(0))
    try:
        with pytest.raises(UserError, match="set log_bin_trust_function_creators = ON"):
            upgrade(settings)
    finally:
        database.run(trusts.format(1))


def test_replicas_that_start_together_migrate_once(database: Server, tmp_path: Path) -> None:
    uri = database.new_database()
    make_old(tmp_path, uri)
    both = [
        warm.Popen(
            [TRACKSTACK, "upgrade", "--json"],
            env=_environment(tmp_path, uri),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    backups = [json.loads(out)["backup"] for out, _ in told]
    assert backups.count(None) == 1


def test_a_lock_is_held_against_others_and_let_go(database: Server, tmp_path: Path) -> None:
    for uri in (database.new_database(), None):
        settings = settings_of(tmp_path, uri)
        first, second = open_engine(settings), open_engine(settings)
        assert not is_held(second, "gc")
        with only_one(first, "gc"):
            assert is_held(second, "gc")
            assert not is_held(second, "upgrade")
            with pytest.raises(UserError, match="another gc"), only_one(second, "gc"):
                pass
            with only_one(second, "upgrade"):
                pass
        with only_one(second, "gc"):
            pass
        assert not is_held(first, "gc")


def test_a_wrong_password_is_one_line_at_once(database: Server, tmp_path: Path) -> None:
    url = make_url(database.new_database()).set(password="not-the-one")
    uri = url.render_as_string(hide_password=False)
    environment = {**_environment(tmp_path, uri), "MLFLOW_TRACKING_TOKEN": "not of any use"}
    for command in ("upgrade", "server"):
        done = warm.run(
            [TRACKSTACK, command], env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 1
        assert "refuses the login" in done.stderr
        assert "MLFLOW_BACKEND_STORE_URI" in done.stderr
        assert "not-the-one" not in done.stderr
        assert "Traceback" not in done.stderr
