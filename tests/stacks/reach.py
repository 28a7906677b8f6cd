"""What listens at a stack's address, and to which ports of it a cloud's rules let others."""

import socket
from urllib.parse import urlsplit

from infra.rehearsal.azure import network as on_azure
from infra.rehearsal.azure.compute.containers import ContainerGroup
from infra.rehearsal.azure.compute.machines import NetworkInterface
from infra.rehearsal.oci import network as on_oci
from infra.rehearsal.oci.compute.containers import ContainerInstance
from infra.rehearsal.oci.compute.instances import Instance
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.values import child, items
from infra.rehearsal.sandbox import Sandbox

# Those that published guides name.
_PORTS = (22, 80, 443, 5000)


def name_of(sandbox: Sandbox) -> str:
    """The name at which a stack's server is reached."""
    return urlsplit(str(sandbox.engine.outputs()["tracking_uri"])).hostname or ""


def address_of(sandbox: Sandbox, caller: str) -> str:
    """Where that is, on this machine."""
    name = name_of(sandbox)
    [address] = filter(None, (cloud.resolve(name, caller) for cloud in sandbox.clouds))
    return address


def let_in(cloud: Cloud, caller: str) -> list[int]:
    """The ports to which the rules of a cloud let ``caller``, on whatever serves there."""
    found = set[int]()
    for record in cloud.store.find(ContainerGroup.token):
        found |= {port["port"] for port in items(child(record.props, "ipAddress"), "ports")}
    for record in cloud.store.find(NetworkInterface.token):
        for entry in items(record.props, "ipConfigurations"):
            subnet = cloud.store.get(child(entry, "subnet")["id"])
            assert subnet
            lets_in = (on_azure.lets_in(cloud.store, subnet.props, caller, p) for p in _PORTS)
            found |= {port for port, may in zip(_PORTS, lets_in, strict=True) if may}
    interfaces = [child(r.props, "createVnicDetails") for r in cloud.store.find(Instance.token)]
    for record in cloud.store.find(ContainerInstance.token):
        interfaces += items(record.props, "vnics")
    for interface in interfaces:
        groups = interface["nsgIds"]
        found |= {p for p in _PORTS if on_oci.lets_in(cloud.store, groups, caller, p)}
    return sorted(found)


def listening(sandbox: Sandbox, caller: str) -> list[int]:
    """The ports at which something listens there, whatever rules are before it."""
    address = address_of(sandbox, caller)
    return [port for port in _PORTS if _answers(address, port)]


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 5).close()
    except OSError:
        return False
    return True
