"""Tables of Trackstack's own beside MLflow's: each is made when something is first noted in it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, Row, Select, Table


def rows_of(engine: Engine, table: Table, wanted: Select[Any]) -> Sequence[Row[Any]]:
    """What a query of a table finds; nothing where it was never made."""
    with engine.connect() as connection:
        if not engine.dialect.has_table(connection, table.name):
            return []
        return connection.execute(wanted).all()
