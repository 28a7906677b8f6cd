"""`make upgrade-database`: another version of the database server that a stack made in a cloud.

An update of the stack leaves the version alone, because providers replace the server for another
one, with all its data. The cloud changes it in place, and never back; a backup is made before.
"""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from infra.operations.backup import back_up
from infra.operations.stack import MistakeError, Resource, Stack, main
from runtime.errors import UserError
from runtime.oci import login

# Asks a cloud for a version of a server, by its id and region, and waits until it has it.
Change = Callable[[str, str, str], None]
# In seconds.
_PATIENCE, _EVERY = 3 * 60 * 60, 10


def _by_azure(command: str) -> Change:
    def change(id: str, version: str, _region: str) -> None:
        """By the login of `az login`, which the stack needs anyway."""
        # /subscriptions/<id>/resourceGroups/<group>/providers/<namespace>/flexibleServers/<name>
        parts = id.strip("/").split("/")
        where = ["--subscription", parts[1], "--resource-group", parts[3], "--name", parts[-1]]
        asked = ["az", command, "flexible-server", "upgrade", *where, "--version", version, "--yes"]
        try:
            done = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        except FileNotFoundError:
            raise UserError("there is no `az` on PATH, which asks Azure for the version") from None
        if done.returncode:
            raise UserError(f"az {command}: {done.stderr.strip()[-500:]}")

    return change


def _mysql_on_oci(id: str, version: str, region: str) -> None:
    from oci.mysql import models

    details = models.UpdateDbSystemDetails(mysql_version=version)
    asked = _on_oci(region, "mysql", "DbSystemClient").update_db_system(id, details)
    _wait_on_oci(_on_oci(region, "mysql", "WorkRequestsClient"), asked)


def _postgresql_on_oci(id: str, version: str, region: str) -> None:
    from oci.psql import models

    details = models.UpgradeDbSystemDetails(db_version=version)
    client = _on_oci(region, "psql", "PostgresqlClient")
    _wait_on_oci(client, client.upgrade_db_system(id, details))


def _on_oci(region: str, service: str, kind: str) -> Any:
    client = login.client(service, kind)
    # The login's own may be another.
    client.base_client.set_region(region)
    return client


def _wait_on_oci(client: Any, asked: Any) -> None:
    request = asked.headers["opc-work-request-id"]
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        status = client.get_work_request(request).data.status
        if status == "SUCCEEDED":
            return
        if status in ("FAILED", "CANCELED", "CANCELING"):
            raise UserError(f"OCI says {status} of the upgrade; see work request {request}")
        time.sleep(_EVERY)
    raise UserError(f"OCI still upgrades after {_PATIENCE} s; see work request {request}")


# The type of a server, without the version of its API -> how it is changed.
_CHANGES: Mapping[str, Change] = {
    "azure-native:dbforpostgresql:Server": _by_azure("postgres"),
    "azure-native:dbformysql:Server": _by_azure("mysql"),
    "oci:Mysql/mysqlDbSystem:MysqlDbSystem": _mysql_on_oci,
    "oci:Psql/dbSystem:DbSystem": _postgresql_on_oci,
}


def find(stack: str, state: Sequence[Resource]) -> tuple[Resource, Change]:
    """The server that the stack made, and what changes it. Pure.

    Raises MistakeError where it made none in a cloud.
    """
    found = [(one, _CHANGES[one.type]) for one in state if one.type in _CHANGES and one.id]
    if not found:
        raise MistakeError(
            f"{stack} has made no database server in a cloud; one of your own you upgrade yourself"
        )
    return found[0]


@click.command()
@click.argument("name", metavar="STACK")
@click.argument("version")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(name: str, version: str, yes: bool) -> int:
    """Give the database server of STACK another VERSION, in place, after a backup.

    The server of MLflow answers nothing meanwhile, for minutes; there is no way back but `make
    recover` from the backup. The version is the cloud's word for it, such as 17 or 8.4.6.

    \b
    Examples:
      make upgrade-database STACK=azure-prod VERSION=17
      make upgrade-database STACK=oci-prod VERSION=8.4.6 YES=1
    """
    stack = Stack(name)
    server, change = find(name, stack.resources())
    region = str(getattr(stack.settings(), "region", ""))
    outputs = stack.outputs(secrets=True)
    if not outputs:
        raise MistakeError(f"{name} is not up, so that nothing can back it up before")
    question = f"Back {name} up, and upgrade {server.place} to {version}, with no way back?"
    if not yes and not click.confirm(question):
        raise UserError("nothing was changed")
    click.echo(f"backed up as {back_up(outputs)}")
    try:
        change(server.id, version, region)
    except UserError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith("oci."):
            raise
        raise UserError(f"OCI: {getattr(error, 'message', None) or error}") from None
    # What the engine knows of it would else be sent again with the next change of its size.
    if stack.run("refresh", "--yes", "--target", server.urn, "--suppress-outputs"):
        raise UserError(
            f"{server.place} has version {version}, and the state does not know it yet: "
            f"make refresh STACK={name}"
        )
    click.echo(f"{server.place} has version {version}")
    return 0


if __name__ == "__main__":
    main("infra.operations.upgrade_database", command, mistake=2)
