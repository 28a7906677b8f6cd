"""Who made each shared token by request: what an admin who left has made is so found."""

from collections.abc import Mapping

from sqlalchemy import Column, Engine, MetaData, String, Table, delete, insert, select

from runtime.database.own_tables import rows_of

# No part of a backup: in another store nobody made them. Tokens that a command beside the store
# made have no row, and neither have those of before.
_TABLES = MetaData()
_MAKERS = Table(
    "trackstack_token_makers",
    _TABLES,
    Column("name", String(64), primary_key=True),
    Column("made_by", String(255), nullable=False),
)


class TokenMakers:
    """The table."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, name: str, made_by: str) -> None:
        """Whoever gave the shared token its value."""
        _TABLES.create_all(self._engine)
        with self._engine.begin() as connection:
            connection.execute(delete(_MAKERS).where(_MAKERS.c.name == name))
            connection.execute(insert(_MAKERS).values(name=name, made_by=made_by[:255]))

    def forget(self, name: str) -> None:
        """One of this name that is made later is somebody else's."""
        with self._engine.begin() as connection:
            if self._engine.dialect.has_table(connection, _MAKERS.name):
                connection.execute(delete(_MAKERS).where(_MAKERS.c.name == name))

    def list(self) -> Mapping[str, str]:
        """The makers that are known, by the token's name."""
        rows = rows_of(self._engine, _MAKERS, select(_MAKERS))
        return {row.name: row.made_by for row in rows}
