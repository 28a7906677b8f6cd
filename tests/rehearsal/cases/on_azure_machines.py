"""What goes wrong with virtual machines on Azure."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.rehearsal.provider.values import Props
from tests.rehearsal.cases import Case, World, azure_world

_LEARN = "https://learn.microsoft.com/azure"
_MACHINES = f"{_LEARN}/virtual-machines"
_DELEGATION = f"{_LEARN}/virtual-network/subnet-delegation-overview"
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43


def world(state_dir: Path) -> World:
    made = azure_world.world(state_dir)
    delegation = {"name": "db", "serviceName": "Microsoft.DBforPostgreSQL/flexibleServers"}
    inner = {"resourceGroupName": "rg", "virtualNetworkName": "net", "delegations": [delegation]}
    delegated = {**inner, "subnetName": "delegated", "addressPrefix": "10.0.9.0/24"}
    made.make("Subnet", "delegated", delegated)
    for name in ("free", "used"):
        given = {"resourceGroupName": "rg", "networkInterfaceName": name}
        at = [{"name": "it", "subnet": {"id": made.ids["one"]}}]
        made.make("NetworkInterface", name, {**given, "ipConfigurations": at})
    made.make("VirtualMachine", "other", _machine(vmName="other", at="used")(made))
    return made


def _machine(
    at: str = "free", system: Props | None = None, **given: Any
) -> Callable[[World], Props]:
    def inputs(made: World) -> Props:
        keys = [{"path": "/home/ops/.ssh/authorized_keys", "keyData": _KEY}]
        linux = {"disablePasswordAuthentication": True, "ssh": {"publicKeys": keys}}
        named = {"adminUsername": "ops", "computerName": "vm", "linuxConfiguration": linux}
        return {
            "resourceGroupName": "rg",
            "vmName": "vm",
            "hardwareProfile": {"vmSize": "Standard_B2s_v2"},
            "osProfile": {**named, **(system or {})},
            "networkProfile": {"networkInterfaces": [{"id": made.ids.get(at, at)}]},
            **given,
        }

    return inputs


def _interface(subnet: str) -> Callable[[World], Props]:
    return lambda made: {
        "resourceGroupName": "rg",
        "networkInterfaceName": "new",
        "ipConfigurations": [{"name": "it", "subnet": {"id": made.ids.get(subnet, subnet)}}],
    }


CASES = [
    Case(
        "machine of a size that is none",
        "VirtualMachine",
        _machine(hardwareProfile={"vmSize": "Standard_Huge"}),
        "InvalidParameter",
        f"{_MACHINES}/sizes/overview",
    ),
    Case(
        "machine at another's interface",
        "VirtualMachine",
        _machine(at="used"),
        "NicInUse",
        f"{_LEARN}/virtual-network/virtual-network-network-interface",
    ),
    Case(
        "machine at an interface that is not there",
        "VirtualMachine",
        _machine(at="/nowhere"),
        "InvalidResourceReference",
        f"{_LEARN}/azure-resource-manager/troubleshooting/common-deployment-errors",
    ),
    Case(
        "machine with neither password nor key",
        "VirtualMachine",
        _machine(system={"linuxConfiguration": {"disablePasswordAuthentication": True}}),
        "Authentication using either SSH or",
        f"{_MACHINES}/linux/create-ssh-keys-detailed",
    ),
    Case(
        "machine whose administrator is called root",
        "VirtualMachine",
        _machine(system={"adminUsername": "root"}),
        "The Admin Username specified is not allowed",
        f"{_MACHINES}/linux/faq",
    ),
    Case(
        "machine with too much user data",
        "VirtualMachine",
        _machine(userData=base64.b64encode(b"x" * 70_000).decode()),
        "maximum of 64 KB",
        f"{_MACHINES}/user-data",
    ),
    Case(
        "interface in a subnet that is a service's",
        "NetworkInterface",
        _interface("delegated"),
        "SubnetIsDelegated",
        _DELEGATION,
    ),
    Case(
        "interface in a subnet that is not there",
        "NetworkInterface",
        _interface("/nowhere"),
        "InvalidResourceReference",
        _DELEGATION,
    ),
]
