"""`make setup`: install the provider SDKs and extras that a stack needs and that are missing.

The provider SDKs of its cloud, and what keeps artifacts or backups elsewhere than on this machine.
"""

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import click

from infra.errors import StackError
from infra.operations.stack import MistakeError, main
from infra.operations.stack import file as stack_file
from infra.place import ROOT
from infra.plan.image import store_extras
from infra.settings import group_of, model_of, sdk_of
from runtime.errors import UserError

# A package of each extra.
_PACKAGES = {"azure": "azure.storage.blob", "oci": "oci", "s3": "boto3"}


@dataclass(frozen=True)
class Needs:
    """Names of Pulumi's providers, and extras of pyproject.toml."""

    providers: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


def decide(keys: Mapping[str, str]) -> Needs:
    """What a stack needs beside what every stack does, by the plain keys of its file. Pure.

    Raises StackError where cloud or compute is none that there is; what else is wrong with the
    file is for what comes after.
    """
    destinations = (keys.get(key) for key in ("artifactsDestination", "backupDestination"))
    return Needs(model_of(keys).providers, store_extras(*destinations))


def missing(needs: Needs, is_there: Callable[[str], bool]) -> Needs:
    """What of it is to be installed. Pure."""

    return Needs(
        tuple(name for name in needs.providers if not is_there(sdk_of(name))),
        tuple(name for name in needs.extras if not is_there(_PACKAGES[name])),
    )


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


@click.command()
@click.argument("name", metavar="STACK")
def command(name: str) -> int:
    """Install what STACK's file asks for. A stack that has no file needs nothing."""
    try:
        wanted = missing(decide(stack_file.keys(name)), _is_there)
    except FileNotFoundError:
        return 0
    except StackError as error:
        raise MistakeError("\n".join(error.problems)) from None
    if wanted == Needs():
        return 0
    groups = [group_of(provider) for provider in wanted.providers]
    click.echo(f"setup: installing what stack {name} needs: {', '.join([*groups, *wanted.extras])}")
    done = subprocess.run(
        [ROOT / "tools" / "venv.sh", "infra", *groups],
        env={**os.environ, "EXTRAS": " ".join(wanted.extras)},
    )
    if done.returncode:
        raise UserError("the installation failed; its reason stands above")
    return 0


if __name__ == "__main__":
    main("infra.operations.setup", command, mistake=2)
