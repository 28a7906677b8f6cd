"""Keys of a stack file that Azure refuses to change in place: the real program, by the real engine.

The clouds only check what they are asked for. Nothing is built or copied: the images are said to be
there.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.azure import cloud as azure
from infra.rehearsal.engine import Engine
from infra.rehearsal.provider.serving import serving
from tests.infra.project import configure, run_operation
from tests.rehearsal.azure.checked import KEYS, OTHER_SSH_KEY, SSH_KEY, asked, made

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Stack:
    """A stack that is up, and the journal of its cloud."""

    engine: Engine
    keys: Mapping[str, Any]
    cloud: azure.AzureCloud

    def configure(self, **keys: Any) -> None:
        given = {f"trackstack:{key}": value for key, value in {**self.keys, **keys}.items()}
        configure(self.engine, given)

    def change(self, *arguments: str, **keys: Any) -> tuple[int, str]:
        """`make up` with other keys: its exit code, and what it said."""
        self.configure(**keys)
        self.cloud.journal.path.write_text("")
        # Nothing runs behind this cloud.
        done = run_operation(self.engine, "up", "--wait", "0", "--no-preflight", *arguments)
        return done.returncode, done.stdout + done.stderr

    def asked(self, *types: str) -> list[str]:
        """What the last change asked of resources of these types: ``METHOD type``, in order."""
        return [
            f"{method} {kind}"
            for method, token in asked(self.cloud)
            for kind in types
            if f":{token}".endswith(f":{kind}")
        ]


@contextmanager
def _up(folder: Path, **keys: Any) -> Generator[Stack]:
    cloud = azure.open_cloud(folder / "clouds")
    with serving(cloud) as providers:
        stack = Stack(made(folder, providers), {**KEYS, "keepData": False, **keys}, cloud)
        stack.configure()
        stack.engine.run("up")
        yield stack


def test_a_machine_for_another_ssh_key_is_another_at_the_same_address(tmp_path: Path) -> None:
    with _up(tmp_path, compute="vm", sshPublicKey=SSH_KEY) as stack:
        before = stack.engine.outputs()
        code, said = stack.change(sshPublicKey=OTHER_SSH_KEY)
        assert code == 0, said
        assert stack.asked("VirtualMachine", "PublicIPAddress", "NetworkInterface") == [
            "Delete VirtualMachine",
            "Create VirtualMachine",
        ]
        # What is a machine's own is made for the next one.
        own = ("VirtualMachineExtension", "DataCollectionRuleAssociation")
        assert sorted(stack.asked(*own)) == [
            f"{method} {kind}" for method in ("Create", "Delete") for kind in sorted(own)
        ]
        assert stack.engine.outputs() == before


def test_an_environment_that_becomes_private_is_another_with_its_app_and_jobs(
    tmp_path: Path,
) -> None:
    with _up(tmp_path, compute="scale") as stack:
        code, said = stack.change(private=True)
        assert code == 0, said
        asked = stack.asked("ManagedEnvironment", "ContainerApp", "app:Job")
        goes, comes = (
            asked.index("Delete ManagedEnvironment"),
            asked.index("Create ManagedEnvironment"),
        )
        assert {a.split()[0] for a in asked[:goes]} == {"Delete"}
        assert comes == goes + 1
        assert {a.split()[0] for a in asked[comes:]} == {"Create"}
        assert len(asked) == 2 * len(asked[comes:])
        assert stack.asked("dbforpostgresql:Server", "StorageAccount") == ["Update StorageAccount"]


@pytest.mark.nightly
def test_a_mysql_server_gets_no_standby_and_loses_one(tmp_path: Path) -> None:
    keys = {"database": "mysql", "databaseSku": "Standard_D2ads_v5", "allowedCidrs": ["0.0.0.0/0"]}
    types = ("dbformysql:Server", "dbformysql:Database", "StorageAccount")
    kept = {"artifactsRedundancy": "LRS"}
    with _up(tmp_path, **keys, **kept) as stack:
        code, said = stack.change(highAvailability=True)
        assert (code, stack.asked(*types)) == (1, []), said
        assert "highAvailability: a MySQL server" in said
    with _up(tmp_path / "with", **keys, **kept, highAvailability=True) as stack:
        code, said = stack.change(highAvailability=False)
        assert (code, stack.asked(*types)) == (0, ["Update dbformysql:Server"]), said


@pytest.mark.parametrize(
    ("compute", "changes", "named"),
    [
        pytest.param(
            "container",
            {"compute": "vm", "sshPublicKey": SSH_KEY},
            "compute, database",
            marks=pytest.mark.nightly,
        ),
        ("scale", {"compute": "vm", "sshPublicKey": SSH_KEY}, "compute, database"),
        pytest.param(
            "scale", {"networkCidr": "10.90.0.0/16"}, "networkCidr", marks=pytest.mark.nightly
        ),
        pytest.param(
            "container", {"database": "mysql"}, "compute, database", marks=pytest.mark.nightly
        ),
    ],
)
def test_what_is_in_a_network_keeps_its_subnet(
    tmp_path: Path, compute: str, changes: dict[str, Any], named: str
) -> None:
    with _up(tmp_path, compute=compute, private=True) as stack:
        data = "--data", "delete:database-server,delete:database,replace:database-server"
        code, said = stack.change(*data, **changes)
        assert code == 1, said
        assert f"{named}: " in said.replace("\n", " ")
        assert "make move" in said
        assert [asked for asked in stack.asked("Subnet", "Server", "ContainerGroup") if asked] == []


@pytest.mark.parametrize(
    "database", ["postgresql", pytest.param("mysql", marks=pytest.mark.nightly)]
)
def test_a_disk_that_has_grown_by_itself_stays_as_it_is_and_bars_no_update(
    tmp_path: Path, database: str
) -> None:
    keys = {"database": database, "allowedCidrs": ["0.0.0.0/0"]}
    kind = {"postgresql": "dbforpostgresql:Server", "mysql": "dbformysql:Server"}[database]
    with _up(tmp_path, **keys) as stack:
        _set(stack.cloud, kind, "storage", "storageSizeGB", 64)
        # As after a failover, too.
        [server] = stack.cloud.store.find(f"azure-native:{kind}")
        stack.cloud.store.put(server.id, server.token, {**server.props, "availabilityZone": "2"})
        # The state does not know it yet.
        code, said = stack.change(databaseBackupDays=8)
        assert code == 0, said
        [server] = stack.cloud.store.find(f"azure-native:{kind}")
        assert server.props["storage"]["storageSizeGB"] == 64
        assert server.props["backup"]["backupRetentionDays"] == 8
        code, said = stack.change(databaseBackupDays=8)
        assert (code, stack.asked(kind)) == (0, []), said
        # Nor has who says so, a smaller one.
        code, said = stack.change(databaseBackupDays=8, databaseStorage=32)
        assert (code, stack.asked(kind)) == (0, []), said
        code, said = stack.change(databaseBackupDays=8, databaseStorage=128)
        assert (code, stack.asked(kind)) == (0, [f"Update {kind}"]), said
        [server] = stack.cloud.store.find(f"azure-native:{kind}")
        assert server.props["storage"]["storageSizeGB"] == 128


def test_a_postgresql_server_gets_a_standby_where_the_account_stays_as_it_is(
    tmp_path: Path,
) -> None:
    keys = {"databaseSku": "Standard_D2ds_v5", "allowedCidrs": ["0.0.0.0/0"]}
    types = ("dbforpostgresql:Server", "StorageAccount")
    with _up(tmp_path, **keys) as stack:
        code, said = stack.change(highAvailability=True)
        assert (code, stack.asked(*types)) == (1, []), said
        assert "artifactsRedundancy: LRS" in said
        code, said = stack.change(highAvailability=True, artifactsRedundancy="LRS")
        assert (code, stack.asked(*types)) == (0, ["Update dbforpostgresql:Server"]), said
        code, said = stack.change(databaseSku="Standard_B1ms", artifactsRedundancy="LRS")
        assert code == 0, said
        code, said = stack.change(highAvailability=True, artifactsRedundancy="LRS")
        assert (code, stack.asked(*types)) == (1, []), said
        assert "Change databaseSku first" in said
        _convert(stack.cloud)
        stack.engine.run("refresh")
        code, said = stack.change(artifactsRedundancy="ZRS")
        assert (code, stack.asked(*types)) == (0, ["Update dbforpostgresql:Server"]), said
        code, said = stack.change(highAvailability=True)
        assert (code, stack.asked(*types)) == (0, ["Update dbforpostgresql:Server"]), said


def _convert(cloud: azure.AzureCloud) -> None:
    """As `az storage account migration start` does, in days."""
    _set(cloud, "storage:StorageAccount", "sku", "name", "Standard_ZRS")


def _set(cloud: azure.AzureCloud, kind: str, part: str, name: str, value: Any) -> None:
    """What is there becomes another beside the stack."""
    [found] = cloud.store.find(f"azure-native:{kind}")
    props = {**found.props, part: {**found.props[part], name: value}}
    cloud.store.put(found.id, found.token, props)
