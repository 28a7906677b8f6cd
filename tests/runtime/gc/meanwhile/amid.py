"""Who comes while gc deletes a batch, each in a thread of its own."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from runtime.artifacts import deletion as artifacts
from runtime.gc import command as gc

NOW = "0d0h0m0s"


@dataclass(frozen=True)
class Told:
    """Whether somebody waited for gc, and what MLflow said in the end."""

    waited: bool
    error: str | None


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def collect() -> None:
    """A pass of gc over all that was deleted until now."""
    gc.collect(NOW, dry_run=False)


def amid_a_batch(
    monkeypatch: pytest.MonkeyPatch, waits_seconds: float, arrive: Callable[[], object]
) -> Told:
    """Have ``arrive`` begin while gc deletes artifacts; who does not wait is done in
    ``waits_seconds``.
    """
    amid, may_end = threading.Event(), threading.Event()
    delete = artifacts.delete_all

    def slowly(places: Any) -> Any:
        places = list(places)
        if places:
            amid.set()
            may_end.wait(60)
        return delete(places)

    said: list[str | None] = []

    def work() -> None:
        try:
            arrive()
            said.append(None)
        except MlflowException as error:
            said.append(str(error))

    monkeypatch.setattr(artifacts, "delete_all", slowly)
    collecting = in_thread(collect)
    assert amid.wait(60)
    arriving = in_thread(work)
    arriving.join(waits_seconds)
    waited = arriving.is_alive()
    may_end.set()
    collecting.join(60)
    arriving.join(60)
    assert not collecting.is_alive()
    assert not arriving.is_alive()
    return Told(waited, said[0])
