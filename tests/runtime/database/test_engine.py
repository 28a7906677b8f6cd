"""What connects for a moment connects as MLflow does."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from runtime.database.engine import open_briefly, open_engine
from tests.runtime.filled import settings_of

_URIS = (
    None,
    "postgresql+psycopg2://u:p@h:5/d?sslmode=require",
    "mysql+pymysql://u:p@h:5/d?ssl_check_hostname=false",
)


def _connects_with(engine: Engine) -> Mapping[str, Any]:
    seen = dict[str, Any]()

    def note(_dialect: object, _record: object, _args: object, given: dict[str, Any]) -> None:
        seen.update(given)
        raise ConnectionAbortedError

    event.listen(engine, "do_connect", note)
    with pytest.raises(ConnectionAbortedError):
        engine.connect()
    # Of a pool alone, whose connections go from thread to thread.
    seen.pop("check_same_thread", None)
    return seen


@pytest.mark.parametrize("uri", _URIS)
def test_a_brief_engine_connects_as_the_lasting_one(
    uri: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_MYSQL_SSL_CA", "ca.pem")
    monkeypatch.setenv("MLFLOW_MYSQL_SSL_KEY", "key.pem")
    settings = settings_of(tmp_path, uri)
    brief, lasting = (_connects_with(make(settings)) for make in (open_briefly, open_engine))
    assert brief == lasting
    assert ("ssl_ca" in brief) == bool(uri and uri.startswith("mysql"))


def test_tokens_and_the_notes_of_jobs_need_no_mlflow(tmp_path: Path) -> None:
    code = (
        "import sys; from runtime.jobs import lease, runs; from runtime.tokens.beside import *;"
        "from runtime import settings; StoredTokens(settings.load()).list();"
        """runs.main('{"schedule": {"gc": "* * * * *"}}');"""
        "sys.exit('mlflow' in sys.modules)"
    )
    settings = settings_of(tmp_path)
    (tmp_path / "store").mkdir()
    environment = {"TRACKSTACK_DATA_DIR": str(settings.data_dir)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, timeout=60)
    assert done.returncode == 0
