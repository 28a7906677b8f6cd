"""`trackstack status` of what is no such server."""

import pytest
from click.testing import CliRunner

from runtime.client.status import command
from runtime.errors import UserError
from tests.runtime.doctor.answering import answering


def test_another_program_at_the_address_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as (port, _):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t")
        done = CliRunner().invoke(command)
    assert isinstance(done.exception, UserError)
    assert "another program answers there, or an earlier version" in str(done.exception)
