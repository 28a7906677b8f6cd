"""`make status`, and the end of `make up`: address, token, logs, how to stop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from infra.operations.stack import Stack, main
from runtime.errors import UserError

_TEXT = """
MLflow is up at {tracking_uri}  ({version})

    export MLFLOW_TRACKING_URI={tracking_uri}{trust}
    export MLFLOW_TRACKING_TOKEN=$(make -s token{flag})

Web page  {tracking_uri}  (sign in with the token)
Logs      make logs{flag}
Stop      make down{flag}
"""


def text(stack: Stack) -> str:
    """How a stack that is up is used; the token itself is not shown.

    Raises UserError where it is not up.
    """
    outputs = stack.outputs()
    if "tracking_uri" not in outputs:
        raise UserError(
            f"stack {stack.name} is not up; bring it up with: make up STACK={stack.name}"
        )
    flag = "" if stack.name == "local" else f" STACK={stack.name}"
    return _TEXT.format(flag=flag, trust=_trust(stack.name, outputs), **outputs)


def _trust(stack: str, outputs: Mapping[str, Any]) -> str:
    """Write the stack's own authority to a file and say how clients trust it, where it has one."""
    if "ca_certificate" not in outputs:
        return ""
    path = Path(".trackstack").absolute() / f"{stack}-ca.pem"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(str(outputs["ca_certificate"]) + "\n")
    return f"\n    export MLFLOW_TRACKING_SERVER_CERT_PATH={path}"


@click.command()
@click.argument("name", metavar="STACK")
def command(name: str) -> int:
    """Say where STACK is and how it is used."""
    click.echo(text(Stack(name)))
    return 0


if __name__ == "__main__":
    main("infra.operations.status", command)
