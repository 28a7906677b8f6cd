"""Drift and teardown of a real local stack, by the commands that `make` runs."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import find_free_port
from tests.engine import ROOT, Engine
from tests.infra.project import configure, make_project

pytestmark = pytest.mark.slow


def _infra(engine: Engine, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", f"infra.{module}", engine.stack, *arguments],
        cwd=engine.project_dir,
        env={**engine.environment_of_commands(), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_drift_is_found_told_and_put_right_and_teardown_says_what_it_does(tmp_path: Path) -> None:
    engine, data = make_project(tmp_path), tmp_path / "d"
    config = {
        "trackstack:cloud": "local",
        "trackstack:port": find_free_port(),
        "trackstack:dataDir": str(data),
    }
    configure(engine, config)
    engine.run("up")
    try:
        none = _infra(engine, "drift")
        assert (none.returncode, none.stderr) == (0, "")
        assert "nothing differs" in none.stdout

        supervisor = psutil.Process(int((data / "supervisord.pid").read_text()))
        ended = [supervisor, *supervisor.children(recursive=True)]
        supervisor.kill()
        psutil.wait_procs(ended, timeout=60)
        drifted = _infra(engine, "drift", "--json")
        assert drifted.returncode == 2, drifted.stderr
        gone = {drift["resource"]: drift for drift in json.loads(drifted.stdout)["drift"]}
        assert {"supervisor", "server"} <= gone.keys()
        assert "make up STACK=test" in gone["server"]["remedy"]
        shown = _infra(engine, "drift")
        assert "WHO CAN PUT IT RIGHT" in shown.stdout
        engine.run("up")
        assert _infra(engine, "drift").returncode == 0

        told = _infra(engine, "teardown", "--dry-run", "--json")
        plan = json.loads(told.stdout)
        assert (plan["protected"], plan["lost"]) == (False, [])
        assert plan["kept"] == [f"data ({data})"]
        done = _infra(engine, "teardown")
        assert done.returncode == 0, done.stdout + done.stderr
        assert engine.resources() == {}
        assert (data / "store" / "mydb.sqlite").exists()
    finally:
        engine.run("destroy", check=False)


def test_a_stack_that_is_not_there_is_an_error_and_no_drift(tmp_path: Path) -> None:
    engine = make_project(tmp_path)
    (engine.state_dir / "backend").mkdir(parents=True)
    done = _infra(engine, "drift", "--json")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no stack named 'test' found" in done.stderr
    assert "Traceback" not in done.stderr
