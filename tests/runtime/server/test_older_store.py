"""A server on a store of another MLflow's schema: nothing is migrated unasked."""

import shutil
from pathlib import Path

import pytest

from runtime.database.engine import open_engine
from runtime.database.state import revisions
from runtime.server import command
from runtime.settings import RuntimeSettings
from tests.runtime.backup.stores import OLD, make_old, names
from tests.runtime.filled import settings_of

# What a server's child ends with: an older schema, which its parent tells, and what it has told.
_OLDER, _TOLD = 3, 4


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store of MLflow 2.0, without most of today's tables."""
    folder = tmp_path_factory.mktemp("old")
    make_old(folder)
    return folder / "store" / "mydb.sqlite"


def _start(file: Path, **given: str) -> tuple[int, RuntimeSettings]:
    settings = settings_of(
        file.parent, f"sqlite:///{file}", MLFLOW_TRACKING_TOKEN="x" * 43, **given
    )
    try:
        command.open_store(settings)
    except SystemExit as ended:
        return int(str(ended.code)), settings
    return 0, settings


def _changed(file: Path, statement: str) -> None:
    engine = open_engine(settings_of(file.parent, f"sqlite:///{file}"))
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.mark.parametrize(
    ("statement", "code", "said"),
    [
        ("SELECT 1", _OLDER, ""),
        ("UPDATE alembic_version SET version_num = 'feed00000000'", _TOLD, "of a newer MLflow"),
        ("DELETE FROM alembic_version", _TOLD, "no schema revision"),
    ],
)
def test_it_is_refused_and_stays_byte_for_byte(
    statement: str,
    code: int,
    said: str,
    old: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "mlflow.db"
    shutil.copyfile(old, file)
    _changed(file, statement)
    before = file.read_bytes()
    assert _start(file)[0] == code
    assert said in capsys.readouterr().err
    assert file.read_bytes() == before
    assert not list(tmp_path.glob("*.before-upgrade-*"))


@pytest.mark.slow
def test_where_it_is_meant_a_copy_is_made_first(old: Path, tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    shutil.copyfile(old, file)
    code, settings = _start(file, TRACKSTACK_UPGRADE="true")
    assert code == 0
    has, should = revisions(open_engine(settings))
    assert has == should
    [copy] = tmp_path.glob("*.before-upgrade-*")
    before = settings_of(tmp_path, f"sqlite:///{copy}")
    assert revisions(open_engine(before))[0] == OLD
    assert names(before) == ["e"]
