"""`python -m infra.rehearsal STACK`: up, smoke test, unchanged second up, down, leak check."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import yaml

from infra import cost
from infra.plan.place import ROOT
from infra.rehearsal import graph
from infra.rehearsal.engine import EngineError
from infra.rehearsal.leak_check import Machine, remove_volumes
from infra.rehearsal.provider.conditions import Fault
from infra.rehearsal.sandbox import RehearsalError, Sandbox, prepared
from infra.rehearsal.timing import Events, critical_path, dependencies, short

_FAILED, _WRONG_INPUT, _INTERRUPTED = 1, 2, 130


def _say(text: str) -> None:
    click.echo(text, err=True)


@dataclass
class Report:
    """What a rehearsal found, for people and with --json for machines."""

    stack: str
    replaced: list[str] = field(default_factory=list[str])
    steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    critical_path: list[str] = field(default_factory=list[str])
    critical_seconds: float = 0
    up_seconds: float = 0
    graph: str = ""
    cost: dict[str, Any] = field(default_factory=dict[str, Any])
    kept: list[str] = field(default_factory=list[str])
    left: list[str] = field(default_factory=list[str])
    seconds: float = 0


def _run(sandbox: Sandbox, *arguments: str) -> tuple[Events, int, str]:
    """An update with progress; its events, exit code and the engine's own words."""
    log = sandbox.folder / f"events-{time.monotonic_ns()}.jsonl"
    events = Events(log, _say)
    said: list[str] = []
    with sandbox.engine.start(*arguments, "--event-log", str(log)) as process:
        reader = threading.Thread(target=lambda: said.extend(process.stdout or []))
        reader.start()
        while reader.is_alive():
            reader.join(0.1)
            events.follow()
    events.follow()
    return events, process.returncode, "".join(said)


def _up(sandbox: Sandbox, report: Report, svg: Path, *, has_fault: bool) -> None:
    began = time.monotonic()
    events, code, said = _run(sandbox, "up")
    steps = events.steps
    if code and has_fault:
        _say("up failed, as was asked for; it is run again")
        again, code, said = _run(sandbox, "up")
        steps = [*steps, *again.steps]
    if code:
        _say(said)
        raise RehearsalError(f"up ended with {code}; what the engine said stands above")
    report.up_seconds = round(time.monotonic() - began, 1)
    resources = sandbox.engine.resources()
    needs = dependencies(resources)
    made = [step for step in steps if not step.operation.endswith("failed")]
    slowest = critical_path(made, needs)
    report.steps = [
        {
            "name": step.name,
            "type": step.type,
            "operation": step.operation,
            "began": round(step.began, 2),
            "seconds": round(step.seconds, 2),
        }
        for step in steps
    ]
    report.critical_path = [step.name for step in slowest]
    report.critical_seconds = round(sum(step.seconds for step in slowest), 1)
    svg.parent.mkdir(parents=True, exist_ok=True)
    svg.write_text(graph.svg(made, needs, slowest))
    report.graph = str(svg)
    report.cost = cost.estimate(resources.values())


def _smoke(sandbox: Sandbox) -> None:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    command = [sys.executable, "-m", "infra.rehearsal.smoke"]
    with sandbox.client() as client:
        environment = inherited | client
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RehearsalError(f"the smoke test failed: {done.stderr.strip()[-1500:]}")


def _unchanged(sandbox: Sandbox) -> None:
    try:
        sandbox.engine.run("up", "--expect-no-changes")
    except EngineError as error:
        raise RehearsalError(f"a second up is not without changes: {str(error)[-1500:]}") from None


def _down(sandbox: Sandbox, report: Report, before: Machine) -> None:
    known = sandbox.engine.resources()
    retained = {str(r["id"]): name for name, r in known.items() if r.get("retainOnDelete")}
    sandbox.engine.run("destroy")
    if retained:
        # What is retained in a cloud still runs here.
        _sweep(sandbox)
    now = Machine.look(sandbox.folder, on_docker=bool(sandbox.clouds))
    left = now.left(before, sandbox.engine.stack)
    report.kept = sorted(retained.values())
    report.left = remove_volumes(left) + list(sandbox.engine.resources())
    for cloud in sandbox.clouds:
        # An image stays in its registry, as it does in the cloud's.
        records = [record for record in cloud.store.all() if "Image" not in record.token]
        report.left += [record.id for record in records if record.id not in retained]
    _sweep(sandbox)


def _sweep(sandbox: Sandbox) -> None:
    for cloud in sandbox.clouds:
        cloud.sweep()


def _show(report: Report) -> None:
    for replaced in report.replaced:
        click.echo(f"rehearsed with {replaced}")
    click.echo(f"\n{'resource':28} {'type':24} {'began':>7} {'took':>7}")
    for step in report.steps:
        click.echo(
            f"{step['name'][:28]:28} {short(step['type'])[:24]:24} "
            f"{step['began']:6.1f}s {step['seconds']:6.1f}s"
        )
    click.echo(f"\nup          {report.up_seconds} s")
    chain = " > ".join(report.critical_path)
    click.echo(f"waited for  {chain} ({report.critical_seconds} s)")
    click.echo(f"cost        about {report.cost['dollars']} USD a month ({report.cost['date']})")
    click.echo(f"graph       {report.graph}")
    click.echo("smoke test  passed; a second up changed nothing")
    kept = ", ".join(report.kept) or "nothing"
    click.echo(f"down        keeps {kept}; nothing else is left")
    click.echo(f"in all      {report.seconds} s")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("stack")
@click.option(
    "--config",
    "-c",
    "given",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another value than in the stack file; can be repeated.",
)
@click.option("--keep", is_flag=True, help="Leave it up to look at, until Ctrl-C.")
@click.option("--fault", type=click.IntRange(min=1), help="Let the N-th creation fail once.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option(
    "--graph",
    "svg",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the resource graph goes.  [default: .trackstack/rehearsal/STACK.svg]",
)
def main(
    stack: str,
    given: tuple[str, ...],
    keep: bool,
    fault: int | None,
    as_json: bool,
    svg: Path | None,
) -> None:
    """Rehearse STACK: up on emulated clouds, smoke test, second up, down, leak check.

    Needs no account. Exits 1 where something failed, 2 where the stack cannot be rehearsed.

    \b
    Examples:
      make rehearse STACK=local-container
      make rehearse STACK=oci-dev REHEARSE="--config compute=vm"
      python -m infra.rehearsal local-container --fault 5 --json
    """
    folder = Path(tempfile.mkdtemp(prefix="trackstack-"))
    report, began = Report(stack), time.monotonic()
    svg = svg or ROOT / ".trackstack" / "rehearsal" / f"{stack}.svg"
    try:
        with prepared(stack, folder, dict(map(_parse, given))) as sandbox:
            report.replaced = list(sandbox.replaced)
            if fault:
                for cloud in sandbox.clouds:
                    cloud.conditions.add(Fault("Create", nth=fault))
            before = Machine.look(folder, on_docker=bool(sandbox.clouds))
            try:
                _up(sandbox, report, svg, has_fault=fault is not None)
                _smoke(sandbox)
                _unchanged(sandbox)
                if keep:
                    _wait(sandbox)
            finally:
                _say("down")
                _down(sandbox, report, before)
    except RehearsalError as error:
        click.echo(f"rehearse: {error}", err=True)
        sys.exit(_FAILED if report.replaced else _WRONG_INPUT)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report.seconds = round(time.monotonic() - began, 1)
    click.echo(json.dumps(report.__dict__, indent=1)) if as_json else _show(report)
    if report.left:
        click.echo(f"rehearse: left behind: {', '.join(report.left)}", err=True)
        sys.exit(_FAILED)


def _parse(given: str) -> tuple[str, Any]:
    key, sign, value = given.partition("=")
    if not (key and sign):
        raise RehearsalError(f"--config {given}: must be KEY=VALUE, such as compute=vm")
    return key.removeprefix("trackstack:"), yaml.safe_load(value)


def _wait(sandbox: Sandbox) -> None:
    outputs = sandbox.engine.outputs()
    _say(f"it is up at {outputs['tracking_uri']}; Ctrl-C takes it down")
    try:
        while True:
            time.sleep(60)
    except KeyboardInterrupt:
        _say("")


if __name__ == "__main__":
    main()
