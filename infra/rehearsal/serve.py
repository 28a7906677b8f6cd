"""Serve rehearsal clouds to a Pulumi engine: `python -m infra.rehearsal.serve docker --state DIR`.

Prints the value of PULUMI_DEBUG_PROVIDERS on a line of its own and serves until SIGTERM or Ctrl-C.
"""

import importlib
import importlib.util
import signal
import threading
from pathlib import Path
from typing import Protocol, cast

import click

from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.provider.conditions import Fault
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.serving import serving
from infra.settings import MODELS, group_of, package_of, sdk_of

# The packages `infra.rehearsal.<package_of(provider)>.cloud` have `open_cloud(state_dir)`.
PROVIDERS = tuple(sorted({provider for model in MODELS for provider in model.providers}))


class _Package(Protocol):
    def open_cloud(self, state_dir: Path, *, emulates: bool = False) -> Cloud: ...


def load(name: str, state_dir: Path, *, emulates: bool = False) -> Cloud:
    """The cloud behind a provider's name, with its state under ``state_dir``.

    ``emulates`` lets its resources run on this machine; else they are only checked. Raises
    RehearsalError where the provider's SDK is not installed.
    """
    sdk = sdk_of(name)
    if importlib.util.find_spec(sdk) is None:
        group = group_of(name)
        raise RehearsalError(f"{sdk} is not installed; run `tools/venv.sh infra {group}`")
    module = f"infra.rehearsal.{package_of(name)}.cloud"
    package = cast("_Package", importlib.import_module(module))
    return package.open_cloud(state_dir, emulates=emulates)


@click.command(epilog="Example: python -m infra.rehearsal.serve docker oci --state /tmp/clouds")
@click.argument("names", nargs=-1, required=True, type=click.Choice(PROVIDERS))
@click.option(
    "--state",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="kept between runs",
)
@click.option("--fault", "faults", multiple=True, help="METHOD:NTH:KIND[:TYPE], as Create:3:error")
@click.option("--latency", default=0.0, help="seconds that each change takes")
@click.option("--lag", default=0.0, help="seconds before a new object is seen")
def main(
    names: tuple[str, ...], state: Path, faults: tuple[str, ...], latency: float, lag: float
) -> None:
    """Serve the clouds NAMES in one process."""
    try:
        planned = [Fault.parse(fault) for fault in faults]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        clouds = [load(name, state) for name in names]
    except RehearsalError as error:
        raise click.ClickException(str(error)) from None
    for cloud in clouds:
        cloud.conditions.latency, cloud.conditions.lag = latency, lag
        cloud.conditions.add(*planned)
    stopped = threading.Event()

    def stop(number: int, frame: object) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with serving(*clouds) as providers:
        click.echo(providers)
        stopped.wait()


if __name__ == "__main__":
    main()
