"""The signs of life that alerts count: in the log whatever its level, or not at all."""

from typing import Any

import pytest

from runtime.health import SIGN_OF_LIFE
from runtime.server import forking
from runtime.settings import load


@pytest.mark.parametrize("given", ["true", "false"])
def test_a_worker_shows_life_where_somebody_counts_it(
    given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load({"TRACKSTACK_HEARTBEAT": given, "TRACKSTACK_LOG_LEVEL": "error"})
    options: dict[str, Any] = forking.options(settings)
    app = forking.Application(options, heartbeat=settings.heartbeat)
    app.show_life()
    assert capsys.readouterr().err == (f"{SIGN_OF_LIFE}\n" if given == "true" else "")


def test_the_event_loop_shows_life_often_enough_for_an_alert_of_fifteen_minutes() -> None:
    """A line may be ten minutes late in the place where it is counted."""
    every = forking.options(load({}))["timeout"] / 2
    assert every < 5 * 60
