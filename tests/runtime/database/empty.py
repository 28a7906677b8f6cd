"""A store as new, at once: MLflow's migrations of an empty SQLite take seconds each time."""

import functools
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine


@functools.cache
def empty_sqlite() -> bytes:
    """A SQLite file with MLflow's schema and no row."""
    from mlflow.store.db import utils

    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/store.sqlite")
        any_utils: Any = utils
        any_utils._initialize_tables(engine)
        engine.dispose()
        return (Path(folder) / "store.sqlite").read_bytes()


def put_empty_store(data_dir: Path) -> None:
    """Put the schema where a server with this data directory looks, unless a store is there."""
    put_schema(f"sqlite:///{data_dir}/store/mydb.sqlite")


def put_schema(uri: str) -> None:
    """Put the schema into a SQLite file that is not there; any other store is left alone."""
    file = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_bytes(empty_sqlite())
