"""Of replicas on which a job is due at the same moment, one runs it."""

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from runtime.database import lock
from runtime.database.engine import open_engine
from runtime.database.uri import make_directories
from runtime.jobs.lease import acquire
from tests import warm
from tests.runtime.databases import Server, mariadb, postgresql
from tests.runtime.filled import settings_of
from tests.warm import TRACKSTACK

pytestmark = pytest.mark.slow

_DUE = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
_REPLICAS = 6


@pytest.mark.parametrize("start", [nullcontext, postgresql, mariadb])
def test_one_of_many_takes_each_turn(
    start: Callable[[], AbstractContextManager[Server | None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Six wait for one another eight times.
    monkeypatch.setattr(lock, "_LOOK_AGAIN_SECONDS", 0.05)
    with start() as server:
        settings = settings_of(tmp_path, server.new_database() if server else None)
        make_directories(settings)
        engines = [open_engine(settings) for _ in range(_REPLICAS)]
        with ThreadPoolExecutor(_REPLICAS) as replicas:

            def elected(job: str, due: datetime) -> list[bool]:
                taken = [replicas.submit(acquire, engine, job, due, due) for engine in engines]
                return sorted(one.result() for one in taken)

            one = [False] * (_REPLICAS - 1) + [True]
            assert elected("gc", _DUE) == one
            assert elected("backup", _DUE) == one
            assert elected("gc", _DUE) == [False] * _REPLICAS
            assert elected("gc", _DUE + timedelta(minutes=10)) == one
            # A clock that is behind.
            assert elected("gc", _DUE) == [False] * _REPLICAS
            # One that was wrong keeps nobody from the work for long.
            assert elected("gc", _DUE + timedelta(days=200)) == one
            assert elected("gc", _DUE + timedelta(minutes=20)) == one
            assert elected("gc", _DUE + timedelta(minutes=20)) == [False] * _REPLICAS


def test_the_scheduler_leaves_to_another_what_that_one_took(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    make_directories(settings)
    environment = {
        **os.environ,
        "TRACKSTACK_DATA_DIR": str(tmp_path),
        # Due once a year: no minute ends between the two.
        "TRACKSTACK_GC_SCHEDULE": "0 0 1 1 *",
    }

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return warm.run(
            [TRACKSTACK, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    assert run("upgrade").returncode == 0
    first = run("scheduler", "--once", "gc", "--elect")
    assert "gc: done in" in first.stdout, first.stdout + first.stderr
    second = run("scheduler", "--once", "gc", "--elect")
    assert second.returncode == 0
    assert second.stdout.strip().endswith("Z gc: another replica runs it")
    alone = run("scheduler", "--elect")
    assert alone.returncode == 2
    assert "--elect needs --once" in alone.stderr
    unscheduled = run("scheduler", "--once", "backup", "--elect")
    assert unscheduled.returncode == 2
    assert "TRACKSTACK_BACKUP_SCHEDULE" in unscheduled.stderr
