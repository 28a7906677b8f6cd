"""`make rehearse` itself: what it shows, what it refuses, and that it leaves nothing."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

from infra.place import ROOT
from infra.rehearsal import graph as graph
from infra.rehearsal import timing
from infra.rehearsal.system import daemon
from infra.rehearsal.timing import Events, Step, critical_path


def _step(name: str, began: float, ended: float) -> Step:
    return Step(f"urn::{name}", "docker:index:Thing", "create", began, ended)


def test_the_critical_path_is_the_chain_that_takes_longest() -> None:
    steps = [_step("a", 0, 1), _step("b", 0, 5), _step("c", 5, 6), _step("d", 1, 4)]
    needs = {
        "urn::a": set[str](),
        "urn::b": set[str](),
        # Behind a component, which has no step of its own.
        "urn::component": {"urn::b"},
        "urn::c": {"urn::component", "urn::a"},
        "urn::d": {"urn::a"},
    }
    path = critical_path(steps, needs)
    assert [step.name for step in path] == ["b", "c"]
    columns = graph.columns(steps, needs)
    assert columns == {"urn::a": 0, "urn::b": 0, "urn::c": 1, "urn::d": 1}
    drawn = ElementTree.fromstring(graph.svg(steps, needs, path))
    assert len(drawn.findall(".//{http://www.w3.org/2000/svg}rect")) == len(steps)


def _log(kind: str, name: str, type_: str, operation: str = "create") -> str:
    metadata = {"urn": f"urn::{name}", "type": type_, "op": operation}
    return json.dumps({kind: {"metadata": metadata}}) + "\n"


def test_a_long_step_is_told_while_it_runs_and_a_component_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    log = tmp_path / "events"
    log.write_text(
        _log("resourcePreEvent", "image", "trackstack:index:RuntimeImage")
        + _log("resourcePreEvent", "image-build", "docker:index/image:Image")
    )
    events = Events(log, said.append)
    events.follow()
    assert said == []
    monkeypatch.setattr(timing, "_QUIET_SECONDS", 0)
    events.follow()
    (line,) = said
    assert line.endswith("waits    for image-build (0 s)")
    with log.open("a") as file:
        file.write(_log("resOutputsEvent", "image-build", "docker:index/image:Image"))
        file.write(_log("resOutputsEvent", "image", "trackstack:index:RuntimeImage"))
    events.follow()
    assert [step.name for step in events.steps] == ["image-build"]


def _rehearse(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "infra.rehearsal", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=540)


def _containers() -> set[str]:
    """Of rehearsals of this stack; one with --keep may have some."""
    daemon.ensure_daemon()
    names = daemon.docker(
        "ps", "--all", "--filter", "name=local-container-rehearsal", "--format", "{{.Names}}"
    )
    return set(names.split())


@pytest.mark.slow
def test_a_stack_that_is_not_there_is_told() -> None:
    done = _rehearse("nowhere")
    assert done.returncode == 2
    assert "there is no stacks/Pulumi.nowhere.yaml; there are: azure-dev" in done.stderr


@pytest.mark.slow
def test_a_config_that_is_none_is_told() -> None:
    done = _rehearse("local", "--config", "compute")
    assert done.returncode == 2
    assert "--config compute: must be KEY=VALUE" in done.stderr


@pytest.mark.slow
def test_a_stack_is_rehearsed_and_leaves_nothing(tmp_path: Path) -> None:
    svg = tmp_path / "graph.svg"
    done = _rehearse("local", "--json", "--graph", str(svg))
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["left"] == []
    assert "server" in report["critical_path"]
    assert "server" in {step["name"] for step in report["steps"]}
    assert svg.read_text().startswith("<svg")


# What the engine makes of a creation that fails, test_provider shows in every run.
@pytest.mark.nightly
def test_a_creation_that_fails_is_made_good_by_the_next_up_and_nothing_is_left() -> None:
    before = _containers()
    done = _rehearse("local-container", "--fault", "12", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert [step for step in report["steps"] if step["operation"] == "create failed"]
    assert report["left"] == []
    assert _containers() <= before


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_rehearsal_that_is_ended_takes_its_stack_down(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "infra.rehearsal", "local"]
    with tempfile.TemporaryDirectory(prefix="r-") as folder:
        environment = {**os.environ, "TMPDIR": folder}
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stderr is not None
            # The supervisor runs by now, and the database is next.
            seen = next((line for line in process.stderr if "create   supervisor" in line), "")
            process.send_signal(number)
            # By another one, as a terminal sends it, nothing is left either.
            down = next((line for line in process.stderr if line == "down\n"), "")
            os.killpg(process.pid, number)
            said = process.stderr.read()
            code = process.wait(120)
        assert seen, said
        assert down, said
        assert code == 130, said
        assert "Traceback" not in said
        left = [p.pid for p in psutil.process_iter() if folder in " ".join(_command_line(p))]
        assert left == [], said
        assert list(Path(folder).iterdir()) == []


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
