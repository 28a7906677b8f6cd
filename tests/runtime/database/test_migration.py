"""A store that is made or migrated: whole, or as it was."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, inspect
from sqlalchemy.engine import Engine

from runtime.database.migration import migrate


class BreakError(Exception):
    """In the place of a kill."""


@pytest.mark.slow
@pytest.mark.parametrize("statements", [5, 150])
def test_an_empty_store_whose_making_is_broken_off_is_empty_still(
    tmp_path: Path, statements: int
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/store.db")
    seen = 0

    def count(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen > statements:
            raise BreakError

    event.listen(Engine, "before_cursor_execute", count)
    try:
        with pytest.raises(BreakError):
            migrate(engine)
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert inspect(engine).get_table_names() == []
    migrate(engine)
    assert {"runs", "alembic_version"} <= set(inspect(engine).get_table_names())
