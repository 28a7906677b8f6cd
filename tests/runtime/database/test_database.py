"""`trackstack database` on a real server: the store's user may use its own database alone."""

import os
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from infra.rehearsal.host.authority import Authority
from runtime.cli import cli
from runtime.database.engine import open_engine
from runtime.settings.uris import with_driver
from tests.runtime.databases import MariaDb, own_mariadb, postgresql
from tests.runtime.filled import settings_of

pytestmark = pytest.mark.slow

_PASSWORDS = "first-Password_1'\\", "second-Password_2"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[MariaDb]:
    folder = tmp_path_factory.mktemp("tls")
    for name, content in zip(("cert", "key"), Authority.load().issue("other.name"), strict=True):
        (folder / name).write_bytes(content)
    with own_mariadb(f"--ssl-cert={folder}/cert", f"--ssl-key={folder}/key") as running:
        sql = (
            f"CREATE USER admin@'%' IDENTIFIED BY '{running.password}';"
            "GRANT ALL PRIVILEGES ON *.* TO admin@'%' WITH GRANT OPTION;"
            "CREATE DATABASE others;"
            # A nobody of this machine would come before users of any machine.
            "DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES;"
        )
        subprocess.run(running.client, input=sql, text=True, check=True)
        yield running


def _store(server: MariaDb, password: str) -> str:
    url = URL.create("mysql+pymysql", "app", password, "127.0.0.1", server.port, "app_store")
    return url.render_as_string(hide_password=False)


def _prepare(
    server: MariaDb, password: str, folder: Path, store: str | None = None
) -> tuple[int, str]:
    admin = folder / "admin"
    admin.write_text(f"mysql+pymysql://admin:{server.password}@127.0.0.1:{server.port}/")
    environment = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": store or _store(server, password),
        "TRACKSTACK_DATABASE_ADMIN_URI_FILE": str(admin),
    }
    done = CliRunner().invoke(cli, ["database", "--wait", "5"], env=environment)
    return done.exit_code, f"{done.output}{done.exception or ''}"


def test_database_and_user_are_made_once_and_may_do_nothing_else(
    server: MariaDb, tmp_path: Path
) -> None:
    for password in (*_PASSWORDS, _PASSWORDS[1]):
        code, said = _prepare(server, password, tmp_path)
        assert (code, said.strip()) == (0, "the database app_store is ready")
        # The server insists on TLS for this user; its certificate is its own.
        secured = f"{_store(server, password)}?ssl_check_hostname=false"
        engine = create_engine(secured)
        with engine.connect() as connection:
            connection.execute(text("create table if not exists kept (id int)"))
            with pytest.raises((OperationalError, ProgrammingError)):
                connection.execute(text("use others"))
        engine.dispose()


def test_a_database_that_is_made_tells_upper_case_from_lower(
    server: MariaDb, tmp_path: Path
) -> None:
    """As SQLite and PostgreSQL do: what differs in case, accent or width is two things."""
    import mlflow

    user, database = "cased", "cased_store"
    url = URL.create("mysql+pymysql", user, "Pass-word_1", "127.0.0.1", server.port, database)
    store = url.render_as_string(hide_password=False)
    code, said = _prepare(server, "", tmp_path, store)
    assert code == 0, said
    uri = f"{store}?ssl_check_hostname=false"
    settings = settings_of(tmp_path, uri)
    client: Any = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    made = [client.create_experiment(name) for name in ("Fraud", "fraud", "frâud")]
    assert len(set(made)) == 3
    assert client.get_experiment_by_name("fraud").experiment_id == made[1]
    run = client.create_run(made[0]).info.run_id
    for key in ("lr", "LR"):
        client.log_param(run, key, key)
        client.log_metric(run, key, 1.0)
        client.set_tag(run, key, key)
    data = client.get_run(run).data
    assert data.params == {"lr": "lr", "LR": "LR"}
    assert data.metrics.keys() == {"lr", "LR"}
    assert (data.tags["lr"], data.tags["LR"]) == ("lr", "LR")
    with open_engine(settings).connect() as connection:
        collations = connection.exec_driver_sql(
            "select distinct table_collation from information_schema.tables "
            "where table_schema = database()"
        )
        assert list(collations.scalars()) == ["utf8mb4_bin"]


def _prepare_in_postgresql(admin_uri: str, store: str, folder: Path) -> tuple[int, str]:
    admin = folder / "admin"
    admin.write_text(admin_uri)
    environment = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": store,
        "TRACKSTACK_DATABASE_ADMIN_URI_FILE": str(admin),
    }
    done = CliRunner().invoke(cli, ["database", "--wait", "5"], env=environment)
    return done.exit_code, f"{done.output}{done.exception or ''}"


def test_an_administrator_of_postgresql_that_is_no_superuser_makes_them_too(tmp_path: Path) -> None:
    with postgresql() as server:
        others = make_url(server.new_database())
        owner = create_engine(others)
        with owner.connect() as connection:
            connection.execute(text("create role admin login createdb createrole password 'known'"))
            connection.execute(text(f'revoke connect on database "{others.database}" from public'))
            connection.commit()
        owner.dispose()
        admin = f"postgresql://admin:known@127.0.0.1:{server.port}/postgres"
        for password in (*_PASSWORDS, _PASSWORDS[1]):
            store = URL.create("postgresql", "app", password, "127.0.0.1", server.port, "app_store")
            shown = store.render_as_string(hide_password=False)
            code, said = _prepare_in_postgresql(admin, shown, tmp_path)
            assert (code, said.strip()) == (0, "the database app_store is ready")
            own = make_url(with_driver(shown))
            engine = create_engine(own)
            with engine.connect() as connection:
                connection.execute(text("create table if not exists kept (id int)"))
                connection.commit()
            engine.dispose()
            elsewhere = create_engine(own.set(database=others.database))
            with pytest.raises(OperationalError, match="permission denied"):
                elsewhere.connect()


def test_what_is_missing_or_does_not_answer_is_told_without_the_password(
    server: MariaDb, tmp_path: Path
) -> None:
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": _store(server, "secret-word")}
    done = CliRunner().invoke(cli, ["database"], env=environment)
    assert "TRACKSTACK_DATABASE_ADMIN_URI" in str(done.exception)
    code, said = _prepare(MariaDb(server.port, "wrong-word", server.client), "x", tmp_path)
    assert code == 1
    assert "refuses the administrator: " in said
    assert "wrong-word" not in said
    wrong = MariaDb(9, "secret-word", server.client)
    code, said = _prepare(wrong, "secret-word", tmp_path)
    assert code != 0
    assert "does not answer" in said
    assert "secret-word" not in said
    assert urlsplit(_store(wrong, "x")).port == 9
