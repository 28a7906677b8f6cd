"""The server, by the stack file's compute, behind a network load balancer: its address stays when
what is behind it is replaced, and nobody is led to a new one before that is healthy.

The load balancer passes TLS through to the proxy beside each server: no key leaves the machines,
and security groups see who asks.
"""

from collections.abc import Callable
from dataclasses import replace

import pulumi
from pulumi import Output
from pulumi_oci import core
from pulumi_oci import networkloadbalancer as nlb

from infra.clouds.oci.network import Network
from infra.clouds.oci.observability import Logs
from infra.clouds.oci.rollout import Rollout
from infra.clouds.oci.scope import Scope
from infra.clouds.oci.server.parts import Parts
from infra.clouds.oci.vault import Vault
from infra.clouds.shared.part import Part
from infra.plan.oci import OciPlan
from infra.plan.proxy import PORT
from runtime import health

_PROBE_MILLISECONDS = 10_000


class Balancer(Part):
    """The load balancer, with a reserved public address or one of the network's own: OCIDs, and
    the ``address`` that users reach.
    """

    def __init__(self, plan: OciPlan, scope: Scope, networks: Network) -> None:
        super().__init__("oci", "balancer")
        scope = scope.within(self)
        reserved = _address(plan, scope) if networks.public else None
        reserved_ids = [reserved.id] if reserved else []
        balancer = nlb.NetworkLoadBalancer(
            "balancer",
            display_name=f"{plan.names.base}-balancer",
            subnet_id=networks.public or networks.compute,
            is_private=networks.public is None,
            reserved_ips=[nlb.NetworkLoadBalancerReservedIpArgs(id=id) for id in reserved_ids]
            or None,
            network_security_group_ids=[networks.proxy_rules],
            **scope.inside,
            # The reserved address stays, and the next one takes it from this one.
            opts=pulumi.ResourceOptions.merge(
                scope.opts, pulumi.ResourceOptions(delete_before_replace=reserved is not None)
            ),
        )
        own = balancer.ip_addresses[0].ip_address.apply(str)
        self.id = balancer.id
        self.address: Output[str] = reserved.ip_address if reserved else own
        self.backend_set = _backends(balancer, f"{plan.settings.path_prefix}{health.PATH}", scope)
        self.finish({"address": self.address})


def _address(plan: OciPlan, scope: Scope) -> core.PublicIp:
    return core.PublicIp(
        "address",
        lifetime="RESERVED",
        display_name=f"{plan.names.base}-address",
        **scope.inside,
        # The load balancer holds it by a private address of its own.
        opts=pulumi.ResourceOptions.merge(
            scope.opts, pulumi.ResourceOptions(ignore_changes=["privateIpId"])
        ),
    )


def _backends(balancer: nlb.NetworkLoadBalancer, probed: str, scope: Scope) -> Output[str]:
    """The name of the backend set, which users reach; ``probed`` is its health check's path."""
    backends = nlb.BackendSet(
        "backends",
        name="server",
        network_load_balancer_id=balancer.id,
        policy="FIVE_TUPLE",
        # The security group of the server sees who asks.
        is_preserve_source=True,
        # Whether the server is ready: the proxy knows whom to ask.
        health_checker=nlb.BackendSetHealthCheckerArgs(
            protocol="HTTPS",
            port=PORT,
            url_path=probed,
            return_code=200,
            interval_in_millis=_PROBE_MILLISECONDS,
        ),
        opts=scope.opts,
    )
    nlb.Listener(
        "listener",
        name="https",
        network_load_balancer_id=balancer.id,
        default_backend_set_name=backends.name,
        port=PORT,
        protocol="TCP",
        opts=scope.opts,
    )
    return backends.name


def _container(parts: Parts, vault: Vault, balancer: Balancer) -> Output[str]:
    from infra.clouds.oci.server.container import make_instance, matching_rule

    del vault  # Its secrets come as files.
    granted = parts.identity.grant(matching_rule(parts.plan))
    instance = make_instance(parts, granted)
    vnic = core.get_vnic_output(
        vnic_id=instance.vnics[0].vnic_id.apply(str), opts=parts.scope.invoke
    )
    _put_behind(balancer, vnic.private_ip_address, parts, granted.policy)
    workloads = parts.plan.workloads
    index = workloads.all.index(workloads.server)
    server = instance.containers[index].container_id.apply(lambda id: id or "OCID")
    logs = "oci container-instances container retrieve-logs --file - --container-id "
    return Output.concat(logs, server)


def _vm(parts: Parts, vault: Vault, balancer: Balancer) -> Output[str]:
    from infra.clouds.oci.server.vm import make_instance, matching_rule

    logs = Logs(parts.plan, parts.scope, parts.identity)
    instance = make_instance(parts, vault)
    # Until it may, it asks again.
    granted = parts.identity.grant(matching_rule(instance))
    logs.collect(granted.group)
    _put_behind(balancer, instance.private_ip, parts, granted.policy)
    return Output.concat("ssh ubuntu@", instance.private_ip, " journalctl -fu trackstack-server")


def _scale(parts: Parts, vault: Vault, balancer: Balancer) -> Output[str]:
    from infra.clouds.oci.server.scale import make_pool, matching_rule

    logs = Logs(parts.plan, parts.scope, parts.identity)
    pool = make_pool(parts, vault, balancer.id, balancer.backend_set)
    # Until they may, they ask again.
    granted = parts.identity.grant(matching_rule(parts.plan))
    logs.collect(granted.group)
    _lead_to(balancer, parts, granted.policy, pool=pool)
    listed = "oci compute-management instance-pool list-instances --output table"
    where = parts.plan.settings.compartment_id
    return Output.concat(f"{listed} --compartment-id {where} --instance-pool-id ", pool)


def _put_behind(
    balancer: Balancer, address: Output[str], parts: Parts, policy: pulumi.Resource
) -> None:
    backend = nlb.Backend(
        "backend",
        network_load_balancer_id=balancer.id,
        backend_set_name=balancer.backend_set,
        ip_address=address,
        port=PORT,
        opts=parts.scope.opts,
    )
    _lead_to(balancer, parts, policy, backend=backend.name)


def _lead_to(
    balancer: Balancer, parts: Parts, policy: pulumi.Resource, **target: Output[str]
) -> None:
    """Send traffic to ``target``; it stays unhealthy until its IAM ``policy`` exists."""
    Rollout(
        "rollout",
        {
            "compartment": parts.scope.compartment,
            "balancer": balancer.id,
            "backend_set": balancer.backend_set,
            **target,
        },
        parts.scope.here(policy),
    )


# compute -> what makes it behind the load balancer; returns the command that shows its log
_COMPUTES: dict[str, Callable[[Parts, Vault, Balancer], Output[str]]] = {
    "container": _container,
    "scale": _scale,
    "vm": _vm,
}


class Server(Part):
    """The compute behind the load balancer; ``logs`` is the command that shows the server's log."""

    def __init__(self, parts: Parts, vault: Vault, balancer: Balancer) -> None:
        super().__init__("oci", "server")
        own = replace(parts, scope=parts.scope.within(self))
        self.logs = _COMPUTES[parts.plan.settings.compute](own, vault, balancer)
        self.finish()
