"""Primary keys swapped in one statement, and what a server's refusals are told with."""

import pytest
from sqlalchemy.exc import OperationalError

from runtime.database.mysql_keys import explained, swap

_DROP = "ALTER TABLE metrics DROP PRIMARY KEY"
_ADD = "ADD CONSTRAINT metric_pk PRIMARY KEY (`key`, step)"


def _run(*statements: str) -> list[str]:
    held, done = "", list[str]()
    for statement in statements:
        before, instead, held = swap(held, statement)
        done += [each for each in (before, instead) if each and each != "DO 0"]
    return done


@pytest.mark.parametrize(
    ("given", "run"),
    [
        ([_DROP, f"ALTER TABLE metrics {_ADD}"], [f"{_DROP}, {_ADD}"]),
        # Of another table, or with something between: as it was.
        ([_DROP, f"ALTER TABLE tags {_ADD}"], [_DROP, f"ALTER TABLE tags {_ADD}"]),
        ([_DROP, "SELECT 1", f"ALTER TABLE metrics {_ADD}"], None),
        ([_DROP, _DROP.replace("metrics", "tags"), "SELECT 1"], None),
        (["UPDATE alembic_version SET version_num='x'"], None),
    ],
)
def test_only_a_key_that_is_made_again_at_once_is_swapped(
    given: list[str], run: list[str] | None
) -> None:
    assert _run(*given) == (given if run is None else run)


def test_a_refusal_of_a_server_is_told_with_its_cure() -> None:
    for code, cure in ((1419, "log_bin_trust_function_creators"), (3750, "sql_require_primary")):
        error = OperationalError("CREATE secret", {}, Exception(code, "no"))
        assert cure in explained(error)
        assert "secret" not in explained(error)
    assert explained(OperationalError("SELECT", {}, Exception(1, "no"))) == "(1, 'no')"
