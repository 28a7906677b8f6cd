"""MLflow's own tables, and how a row's dependents are deleted with it.

The order is derived from the foreign keys of MLflow's models, so that a table which a newer
MLflow adds is covered by itself; no schema is copied.
"""

import functools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    ForeignKeyConstraint,
    MetaData,
    Table,
    any_,
    cast,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy import delete as delete_from
from sqlalchemy.dialects.postgresql import ARRAY

# In no key of MLflow's.
_SEPARATOR = "\n"


def among(dialect: str, column: ColumnElement[Any], ids: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a column is one of ``ids``.

    PostgreSQL takes them as one text: its driver works long on hundreds of parameters, and on the
    entries of an array.
    """
    if dialect == "postgresql":
        listed = func.string_to_array(_SEPARATOR.join(map(str, ids)), _SEPARATOR)
        return column == any_(cast(listed, ARRAY(column.type)))
    return column.in_(ids)


def tables() -> MetaData:
    """All tables of MLflow's tracking store and registry."""
    from mlflow.store.db.base_sql_model import Base
    from mlflow.store.model_registry.dbmodels import models as registry
    from mlflow.store.tracking.dbmodels import models as tracking

    # Importing the modules is what fills the metadata.
    _ = (registry, tracking)
    metadata: MetaData = Base.metadata
    return metadata


@functools.cache
def _references(metadata: MetaData, parent: Table) -> Sequence[tuple[Table, ForeignKeyConstraint]]:
    found: list[tuple[Table, ForeignKeyConstraint]] = []
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for child in metadata.sorted_tables:
        for constraint in child.foreign_key_constraints:
            key = (child.name, tuple(constraint.column_keys))
            if constraint.referred_table is parent and key not in seen:
                seen.add(key)
                found.append((child, constraint))
    return found


def _pointing_at(
    dialect: str,
    constraint: ForeignKeyConstraint,
    parent: Table,
    of_parent: ColumnElement[bool],
    ids: Sequence[Any],
) -> ColumnElement[bool]:
    own = list(constraint.columns)
    referred = [element.column for element in constraint.elements]
    key = list(parent.primary_key.columns)
    if len(own) == 1 and len(key) == 1 and referred[0] is key[0] and ids:
        # The ids themselves: MariaDB deletes by a subquery far more slowly.
        return among(dialect, own[0], ids)
    return tuple_(*own).in_(select(*referred).where(of_parent))


def _delete_dependents(
    connection: Connection,
    metadata: MetaData,
    parent: Table,
    of_parent: ColumnElement[bool],
    ids: Sequence[Any],
) -> None:
    for child, constraint in _references(metadata, parent):
        of_child = _pointing_at(connection.dialect.name, constraint, parent, of_parent, ids)
        if (constraint.ondelete or "").upper() == "SET NULL":
            nothing = {column.name: None for column in constraint.columns}
            connection.execute(update(child).where(of_child).values(nothing))
        else:
            _delete_dependents(connection, metadata, child, of_child, ())
            connection.execute(delete_from(child).where(of_child))


def delete_rows(connection: Connection, metadata: MetaData, table: str, ids: Sequence[Any]) -> None:
    """Delete the rows of ``table`` with these single-column keys, and all that depend on them."""
    parent = metadata.tables[table]
    key = next(iter(parent.primary_key.columns))
    of_parent = among(connection.dialect.name, key, ids)
    _delete_dependents(connection, metadata, parent, of_parent, ids)
    connection.execute(delete_from(parent).where(of_parent))
