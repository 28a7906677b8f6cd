"""A backup of a stack that is up, as its operator has it made."""

from pathlib import Path

import pytest

from infra.operations.backup import back_up, own
from runtime.backup.format import manifest
from runtime.backup.make import destination
from tests.runtime.filled import fill, settings_of
from tests.warm import TRACKSTACK


def test_a_backup_of_another_store_in_the_same_place_is_not_taken_for_the_stack_s() -> None:
    assert own({"backups": ["a", "b"], "own": ["a"]}) == {"a"}
    # A server of an earlier version.
    assert own({"backups": ["a", "b"], "restored": None}) == {"a", "b"}


@pytest.mark.slow
def test_one_with_an_alarm_is_made_and_the_alarm_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_of(tmp_path / "data")
    fill(settings)
    capsys.readouterr()
    place = tmp_path / "backups"
    variables = (
        f"TRACKSTACK_DATA_DIR={settings.data_dir}",
        f"TRACKSTACK_BACKUP_DESTINATION={place}",
        "TRACKSTACK_BACKUP_ALARM=100",
    )
    outputs = {"command": f"env {' '.join(variables)} {TRACKSTACK}"}
    first = back_up(outputs)
    assert capsys.readouterr().err == ""
    next(Path(settings.artifacts_destination).rglob("weights.bin")).unlink()
    second = back_up(outputs)
    assert manifest.complete(destination(settings, str(place))) == [first, second]
    assert "less than 100 % is left" in capsys.readouterr().err
