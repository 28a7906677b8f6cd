"""The backend store's URI, as published stacks write it."""

from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import make_url

from runtime.database.engine import open_engine
from runtime.database.uri import make_directories, shown_store, store_uri
from runtime.errors import UserError
from runtime.settings.uris import problem
from tests.runtime.filled import settings_of

_ODD = "p@ss/w:rd%#?é"


@pytest.mark.parametrize("driver", ["mysql+mysqlconnector", "mysql+pymysql", "mysql", "postgresql"])
def test_a_password_may_have_every_sign(driver: str, tmp_path: Path) -> None:
    uri = f"{driver}://u:{quote(_ODD, safe='')}@db.example:3306/mlflow"
    settings = settings_of(tmp_path, uri)
    assert make_url(store_uri(settings)).password == _ODD
    url = open_engine(settings).url
    assert (url.password, url.host, url.database) == (_ODD, "db.example", "mlflow")
    assert _ODD not in shown_store(settings)


@pytest.mark.parametrize(
    ("uri", "provider", "said"),
    [
        ("./mlruns", None, "mlflow migrate-filestore"),
        ("/srv/mlruns", None, "make move-in"),
        ("file:///srv/mlruns", None, "is a folder"),
        ("databricks://profile", None, "is no database"),
        ("mssql+pyodbc://u:p@h/d", None, "it takes mysql, postgresql, sqlite"),
        ("mysql+pymysql://u:p@ss@h/d", None, "%40"),
        ("sqlite:////x", "mysql", "BACKEND_PROVIDER=mysql"),
        ("mysql+mysqlconnector://u:p@h/d", "mysql", None),
        ("postgres://u:p@h/d?options=a@b", None, None),
        ("sqlite:////srv/a@b@c/x", "object_storage", None),
    ],
)
def test_what_cannot_be_a_store_is_told_with_what_to_write(
    uri: str, provider: str | None, said: str | None
) -> None:
    found = problem(uri, provider)
    assert bool(found) == bool(said)
    assert not said or said in str(found)
    assert "p@ss" not in str(found)


def test_mysql_without_an_address_is_no_new_sqlite(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, BACKEND_PROVIDER="mysql")
    with pytest.raises(UserError, match="nothing says where the database is: set MLFLOW_BACKEND"):
        make_directories(settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("mysql+nosuchdriver://u:p@h/d", "EXTRAS=postgresql,mysql,oidc,mysql"),
        ("postgresql://u:p@h:port/d", "is no URI such as"),
    ],
)
def test_a_driver_or_a_form_that_is_none_is_no_stack_trace(
    uri: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        open_engine(settings_of(tmp_path, uri))
