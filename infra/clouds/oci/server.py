"""Where the server is reached: a network load balancer with a reserved address, which stays when
the container instance is replaced, or the instance's own private name.
"""

from dataclasses import dataclass

import pulumi
from pulumi import Output
from pulumi_oci import core
from pulumi_oci import networkloadbalancer as nlb

from infra.clouds.oci.container import make_instance
from infra.clouds.oci.network import Networks
from infra.clouds.oci.parts import Parts
from infra.clouds.oci.scope import Scope
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


def make_server(parts: Parts, policy: pulumi.Resource, balancer: Balancer | None) -> Output[str]:
    """The compute behind the load balancer; returns the command that shows the server's log."""
    instance = make_instance(parts, policy)
    if balancer:
        vnic = core.get_vnic_output(
            vnic_id=instance.vnics[0].vnic_id.apply(str), opts=parts.scope.invoke
        )
        nlb.Backend(
            "backend",
            network_load_balancer_id=balancer.id,
            backend_set_name=balancer.backend_set,
            ip_address=vnic.private_ip_address,
            port=FRONT_PORT,
            opts=parts.scope.opts,
        )
    names = [container.name for container in parts.plan.containers]
    server = instance.containers[names.index("server")].container_id.apply(lambda id: id or "OCID")
    return Output.concat(
        "oci container-instances container retrieve-logs --file - --container-id ", server
    )
