"""Another version of a stack's database server: after a backup, in place, on each cloud."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from infra.operations import upgrade_database as upgrade
from infra.operations.stack import MistakeError, Resource, Stack
from infra.settings import parse
from runtime.errors import UserError
from runtime.oci import login
from tests.infra.stack_files import AZURE, OCI, as_given

_ON_AZURE = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/prod-db"
)
_OF = {
    "azure-native:dbforpostgresql:Server": (AZURE, _ON_AZURE),
    "azure-native:dbformysql:Server": (AZURE, _ON_AZURE),
    "oci:Mysql/mysqlDbSystem:MysqlDbSystem": (OCI, "ocid1.mysql"),
    "oci:Psql/dbSystem:DbSystem": (OCI, "ocid1.psql"),
}


def _server(kind: str, id: str) -> Resource:
    inputs = {"serverName": "prod-db"}
    return Resource("database", kind, inputs, True, False, urn="urn::database", id=id)


@dataclass
class World:
    """What was done, in order; the backup and the clouds are stand-ins."""

    done: list[Any] = field(default_factory=list[Any])
    status: str = "SUCCEEDED"

    def run(self, *arguments: str) -> Any:
        return CliRunner().invoke(upgrade.command, ["prod", *arguments], standalone_mode=False)


class _OnOci:
    """The SDK's clients, as far as they are used."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.base_client = SimpleNamespace(set_region=world.done.append)

    def _ask(self, id: str, details: Any) -> Any:
        self._world.done.append(
            (id, details.mysql_version if "mysql" in id else details.db_version)
        )
        return SimpleNamespace(headers={"opc-work-request-id": "w"})

    update_db_system = upgrade_db_system = _ask

    def get_work_request(self, _id: str) -> Any:
        return SimpleNamespace(data=SimpleNamespace(status=self._world.status))


Prepare = Callable[[str], World]


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    def made(kind: str) -> World:
        world = World()
        keys, id = _OF.get(kind, (AZURE, ""))

        def always(answer: Any) -> Callable[..., Any]:
            return lambda *_given, **_named: answer  # type: ignore[reportUnknownLambdaType]

        monkeypatch.setattr(Stack, "resources", always([_server(kind, id)]))
        monkeypatch.setattr(Stack, "settings", always(parse(as_given(keys))))
        monkeypatch.setattr(Stack, "outputs", always({"tracking_uri": "x"}))

        def run(_self: Stack, *arguments: str) -> int:
            world.done.append(arguments[0])
            return 0

        def back_up(_outputs: Any) -> str:
            world.done.append("backup")
            return "20261126T000000Z-1"

        monkeypatch.setattr(Stack, "run", run)
        monkeypatch.setattr(upgrade, "back_up", back_up)
        monkeypatch.setattr(login, "client", always(_OnOci(world)))
        az = tmp_path / "az"
        az.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
        az.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return world

    return made


@pytest.mark.parametrize("kind", sorted(_OF))
def test_the_backup_comes_before_and_the_state_knows_after(
    kind: str, prepare: Prepare, tmp_path: Path
) -> None:
    world = prepare(kind)
    ended = world.run("17", "--yes")
    assert ended.exception is None, ended.output
    assert "prod-db has version 17" in ended.output
    assert (world.done[0], world.done[-1]) == ("backup", "refresh")
    if kind.startswith("azure"):
        command = "postgres" if "postgresql" in kind else "mysql"
        where = "--subscription s --resource-group g --name prod-db"
        asked = (tmp_path / "asked").read_text().strip()
        assert asked == f"{command} flexible-server upgrade {where} --version 17 --yes"
    else:
        assert OCI["region"] in world.done
        assert (_OF[kind][1], "17") in world.done


def test_where_the_cloud_fails_it_is_said_and_where_nobody_agrees_nothing_is_done(
    prepare: Prepare, tmp_path: Path
) -> None:
    world = prepare("oci:Psql/dbSystem:DbSystem")
    world.status = "FAILED"
    assert "FAILED" in str(world.run("17", "--yes").exception)
    assert "refresh" not in world.done
    world = prepare("azure-native:dbforpostgresql:Server")
    (tmp_path / "az").write_text("#!/bin/sh\necho no such version >&2\nexit 1\n")
    ended = world.run("99", "--yes")
    assert isinstance(ended.exception, UserError)
    assert "no such version" in str(ended.exception)
    world.done.clear()
    assert str(world.run("17").exception) in ("nothing was changed", "")
    assert world.done == []


def test_a_stack_without_a_server_of_its_own_has_nothing_to_upgrade(prepare: Prepare) -> None:
    world = prepare("docker:index/volume:Volume")
    assert isinstance(world.run("17", "--yes").exception, MistakeError)
    assert world.done == []


def test_every_server_that_holds_data_can_be_upgraded() -> None:
    from infra.clouds import data

    servers = {kind for kind in data.ALWAYS if kind.endswith((":Server", "DbSystem"))}
    assert servers == set(_OF)
