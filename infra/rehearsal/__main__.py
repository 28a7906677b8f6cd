"""`python -m infra.rehearsal STACK`: up, smoke test, unchanged second up, down, leak check."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import yaml

from infra.operations import cost
from infra.operations.stack import resource_of, standing
from infra.place import ROOT
from infra.rehearsal import graph
from infra.rehearsal.errors import EngineError, RehearsalError
from infra.rehearsal.keys.shared import PREFIX
from infra.rehearsal.leak_check import Snapshot, remove_volumes
from infra.rehearsal.provider.conditions import Fault
from infra.rehearsal.report import Report, show
from infra.rehearsal.sandbox import Sandbox, prepared
from infra.rehearsal.timing import Events, critical_path, dependencies

_FAILED, _WRONG_INPUT, _INTERRUPTED = 1, 2, 130


def _say(text: str) -> None:
    click.echo(text, err=True)


def _run(sandbox: Sandbox, *arguments: str) -> tuple[Events, int, str]:
    """An update with progress; its events, exit code and the engine's own words."""
    log = sandbox.folder / f"events-{time.monotonic_ns()}.jsonl"
    events = Events(log, _say)
    said: list[str] = []
    ended = threading.Event()
    with sandbox.engine.start(*arguments, "--event-log", str(log)) as process:

        def read() -> None:
            said.extend(process.stdout or [])
            ended.set()

        threading.Thread(target=read).start()
        try:
            while not ended.wait(0.1):
                events.follow()
        except KeyboardInterrupt:
            # It has a process group of its own; it ends what it is doing and frees its lock.
            process.send_signal(signal.SIGINT)
            ended.wait()
            process.wait()
            raise
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
        raise EngineError(f"up ended with {code}", said)
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
        last = done.stderr.strip().rpartition("\n")[2].removeprefix("smoke test: ")
        raise RehearsalError(f"the smoke test failed: {last}")


def _unchanged(sandbox: Sandbox) -> None:
    try:
        sandbox.engine.run("up", "--expect-no-changes")
    except EngineError as error:
        summary = f"a second up is not without changes: {error.summary}"
        raise EngineError(summary, error.output) from None


def _down(sandbox: Sandbox, report: Report, before: Snapshot) -> None:
    """As `make down` does it: what is kept stays, with all that it stands on."""
    exported: list[dict[str, Any]] = sandbox.engine.export()["deployment"].get("resources") or []
    # Providers stand on something, too.
    known = [resource_of(one) for one in exported if one["type"] != "pulumi:pulumi:Stack"]
    staying = standing(known)
    ids = {resource.id for resource in known if resource.urn in staying}
    sandbox.engine.destroy(excluding=staying)
    if staying:
        # What is retained in a cloud still runs here.
        _sweep(sandbox)
    now = Snapshot.take(sandbox.folder, on_docker=sandbox.is_on_docker)
    left = now.leaks(before, sandbox.engine.stack)
    report.kept = sorted(resource.name for resource in known if resource.retained)
    report.left = remove_volumes(left)
    report.left += [n for n, r in sandbox.engine.resources().items() if r["urn"] not in staying]
    for cloud in sandbox.clouds:
        # An image stays in its registry, as it does in the cloud's.
        records = [record for record in cloud.store.all() if "Image" not in record.token]
        report.left += [record.id for record in records if record.id not in ids]
    _sweep(sandbox)


def _sweep(sandbox: Sandbox) -> None:
    for cloud in sandbox.clouds:
        cloud.sweep()


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
@click.option(
    "--docker-plugin",
    is_flag=True,
    help="The real Docker provider, of PATH or installed, in place of the stand-in.",
)
@click.option(
    "--rights",
    type=click.FloatRange(0, 300),
    default=60,
    show_default=True,
    help="Seconds before a cloud's services know of a new right, where clouds take that long.",
)
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
    docker_plugin: bool,
    rights: float,
    as_json: bool,
    svg: Path | None,
) -> None:
    """Rehearse STACK: up on emulated clouds, smoke test, second up, down, leak check.

    Needs no account. Exits 1 where something failed, 2 where the stack cannot be rehearsed, 130
    where it was interrupted or terminated; then, too, nothing is left.

    \b
    Examples:
      make rehearse STACK=local-container
      make rehearse STACK=oci-dev REHEARSE="--config compute=vm"
      python -m infra.rehearsal local-container --fault 5 --json
    """
    # A pipeline that is cancelled must leave as little as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report, began = Report(stack), time.monotonic()
    svg = svg or ROOT / ".trackstack" / "rehearsal" / f"{stack}.svg"
    with TemporaryDirectory(prefix="trackstack-", ignore_cleanup_errors=True) as folder:
        try:
            overrides = dict(map(_parse, given))
            with prepared(
                stack, Path(folder), overrides, real_docker=docker_plugin, rights=rights
            ) as sandbox:
                if sandbox.is_on_docker:
                    _say(f"the Docker provider is {sandbox.plugin or 'the stand-in'}")
                report.replaced = list(sandbox.replaced)
                _rehearse(sandbox, report, svg, fault=fault, keep=keep)
        except (RehearsalError, TimeoutError) as error:
            _say(f"rehearse: {_line(error)}")
            sys.exit(_FAILED if report.replaced else _WRONG_INPUT)
        except KeyboardInterrupt:
            sys.exit(_INTERRUPTED)
    report.seconds = round(time.monotonic() - began, 1)
    click.echo(json.dumps(report.__dict__, indent=1)) if as_json else show(report)
    if report.left:
        _say(f"rehearse: left behind: {', '.join(report.left)}")
        sys.exit(_FAILED)


def _rehearse(
    sandbox: Sandbox, report: Report, svg: Path, *, fault: int | None, keep: bool
) -> None:
    """Bring the stack up, try it and take it down, whatever happens."""
    if fault:
        for cloud in sandbox.clouds:
            cloud.conditions.add(Fault("Create", nth=fault))
    before = Snapshot.take(sandbox.folder, on_docker=sandbox.is_on_docker)
    failures: list[str] = []
    try:
        _up(sandbox, report, svg, has_fault=fault is not None)
        _smoke(sandbox)
        _unchanged(sandbox)
        if keep:
            _wait(sandbox)
    except (RehearsalError, TimeoutError) as error:
        failures.append(_line(error))
    except KeyboardInterrupt:
        _endure()
        # Where the engine was killed, its lock would keep it from going down.
        sandbox.engine.run("cancel", "--yes", check=False)
        raise
    finally:
        _endure()
        _say("down")
        try:
            _down(sandbox, report, before)
        except (RehearsalError, TimeoutError) as error:
            failures.append(_line(error))
            # What was interrupted ends as such, without a word of them.
            _say(f"down: {failures[-1]}")
            _sweep(sandbox)
    if failures:
        raise RehearsalError("; ".join(failures))


def _endure() -> None:
    """Let no second Ctrl-C end it: what takes the stack down needs the state in its folder."""

    def told(*_: object) -> None:
        _say("it is being taken down; wait for its end")

    signal.signal(signal.SIGINT, told)
    signal.signal(signal.SIGTERM, told)


def _line(error: Exception) -> str:
    """One line of an error; what the engine printed goes before it."""
    if isinstance(error, EngineError) and error.output:
        _say(error.output)
        return f"{error.summary}; what the engine said stands above"
    return str(error)


def _parse(given: str) -> tuple[str, Any]:
    key, sign, value = given.partition("=")
    if not (key and sign):
        raise RehearsalError(f"--config {given}: must be KEY=VALUE, such as compute=vm")
    try:
        return key.removeprefix(PREFIX), yaml.safe_load(value)
    except yaml.YAMLError:
        raise RehearsalError(f"--config {given}: the value is no YAML") from None


def _wait(sandbox: Sandbox) -> None:
    """Say how a client of this machine reaches it, until Ctrl-C."""
    with sandbox.client() as client:
        exports = (f"export {name}={shlex.quote(value)}" for name, value in client.items())
        address = sandbox.engine.outputs()["tracking_uri"]
        _say("\n".join([f"it is up at {address}:", *exports]))
        _say("Ctrl-C takes it down")
        try:
            while True:
                time.sleep(60)
        except KeyboardInterrupt:
            _say("")


if __name__ == "__main__":
    main()
