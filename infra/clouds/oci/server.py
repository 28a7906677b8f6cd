"""The server, by the stack file's compute, and where it is reached: a network load balancer with a
reserved address, which stays when what is behind it is replaced, or its own private name.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pulumi
from pulumi import Output
from pulumi_oci import core
from pulumi_oci import networkloadbalancer as nlb

from infra.clouds.oci.network import Networks
from infra.clouds.oci.parts import Parts
from infra.clouds.oci.scope import Scope
from infra.clouds.oci.vault import Vault
from infra.plan import OciPlan
from infra.plan.oci import FRONT_PORT

_PROBE_MILLISECONDS = 10_000


@dataclass(frozen=True)
class Balancer:
    """OCIDs, and the public ``address``."""

    id: Output[str]
    backend_set: Output[str]
    address: Output[str]


def make_balancer(plan: OciPlan, scope: Scope, networks: Networks) -> Balancer | None:
    """The load balancer of a server with a public address; None of one without."""
    if networks.public is None:
        return None
    address = core.PublicIp(
        "address",
        lifetime="RESERVED",
        display_name=f"{plan.names.base}-address",
        **scope.inside,
        # The load balancer holds it by a private address of its own.
        opts=pulumi.ResourceOptions.merge(
            scope.opts, pulumi.ResourceOptions(ignore_changes=["privateIpId"])
        ),
    )
    balancer = nlb.NetworkLoadBalancer(
        "balancer",
        display_name=f"{plan.names.base}-balancer",
        subnet_id=networks.public,
        is_private=False,
        reserved_ips=[nlb.NetworkLoadBalancerReservedIpArgs(id=address.id)],
        network_security_group_ids=[networks.front_rules],
        **scope.inside,
        opts=scope.opts,
    )
    backends = nlb.BackendSet(
        "backends",
        name="server",
        network_load_balancer_id=balancer.id,
        policy="FIVE_TUPLE",
        # The security group of the server sees who asks.
        is_preserve_source=True,
        health_checker=nlb.BackendSetHealthCheckerArgs(
            protocol="TCP", port=FRONT_PORT, interval_in_millis=_PROBE_MILLISECONDS
        ),
        opts=scope.opts,
    )
    nlb.Listener(
        "listener",
        name="https",
        network_load_balancer_id=balancer.id,
        default_backend_set_name=backends.name,
        port=FRONT_PORT,
        protocol="TCP",
        opts=scope.opts,
    )
    return Balancer(balancer.id, backends.name, address.ip_address)


def _container(parts: Parts, vault: Vault) -> tuple[Output[str], Output[str]]:
    from infra.clouds.oci.container import make_instance, matching_rule

    del vault  # Its secrets come as files.
    policy = parts.identity.grant(matching_rule(parts.plan))
    instance = make_instance(parts, policy)
    vnic = core.get_vnic_output(
        vnic_id=instance.vnics[0].vnic_id.apply(str), opts=parts.scope.invoke
    )
    names = [container.name for container in parts.plan.containers]
    server = instance.containers[names.index("server")].container_id.apply(lambda id: id or "OCID")
    logs = "oci container-instances container retrieve-logs --file - --container-id "
    return vnic.private_ip_address, Output.concat(logs, server)


def _vm(parts: Parts, vault: Vault) -> tuple[Output[str], Output[str]]:
    from infra.clouds.oci.vm import make_instance, matching_rule

    instance = make_instance(parts, vault)
    # Until it may, it asks again.
    parts.identity.grant(matching_rule(instance))
    shown = Output.concat("ssh ubuntu@", instance.private_ip, " journalctl -fu trackstack-server")
    return instance.private_ip, shown


# compute -> what makes it; returns its private address, and the command that shows its log
_COMPUTES: dict[str, Callable[[Parts, Vault], tuple[Output[str], Output[str]]]] = {
    "container": _container,
    "vm": _vm,
}


def make_server(parts: Parts, vault: Vault, balancer: Balancer | None) -> Output[str]:
    """The compute behind the load balancer; returns the command that shows the server's log."""
    address, logs = _COMPUTES[parts.plan.settings.compute](parts, vault)
    if balancer:
        nlb.Backend(
            "backend",
            network_load_balancer_id=balancer.id,
            backend_set_name=balancer.backend_set,
            ip_address=address,
            port=FRONT_PORT,
            opts=parts.scope.opts,
        )
    return logs
