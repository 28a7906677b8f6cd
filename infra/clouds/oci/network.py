"""The VCN: private subnets for compute and database, and a public one for the address that users
reach; all closed but for what the stack file lets in, and word of packets that are too large.
"""

from dataclasses import dataclass

import pulumi
from pulumi import Output
from pulumi_oci import core

from infra.clouds.oci.scope import Scope
from infra.clouds.shared.part import Part
from infra.plan.oci import COMPUTE, DATABASE, PUBLIC, OciPlan
from infra.plan.proxy import PORT

_ANYWHERE = "0.0.0.0/0"
_TCP, _ICMP, _ALL = "6", "1", "all"
_UNREACHABLE, _TOO_LARGE = 3, 4
_PortRange = core.NetworkSecurityGroupSecurityRuleTcpOptionsDestinationPortRangeArgs
_SSH_PORT = 22


@dataclass(frozen=True)
class _Ways:
    """Ids of the route tables: into the internet by a gateway, and out of private subnets."""

    public: Output[str] | None = None
    private: Output[str] | None = None


class Network(Part):
    """Ids: of the subnets that the stack's parts are in (``public`` is None where the server has
    no public address), and of the security groups: ``proxy_rules`` of whatever users reach,
    ``server_rules`` of the server alone, ``database_rules``.
    """

    def __init__(self, plan: OciPlan, scope: Scope) -> None:
        """The stack's network, or its subnets in the one that the stack file names."""
        super().__init__("oci", "network")
        scope = scope.within(self)
        settings = plan.settings
        if settings.vcn_id:
            # Its own default route table says how what is in it gets out.
            vcn, ways = Output.from_input(settings.vcn_id), _Ways()
        else:
            made = core.Vcn(
                "network",
                cidr_blocks=[plan.subnets.whole],
                display_name=f"{plan.names.base}-network",
                dns_label=plan.names.dns_label,
                **scope.inside,
                opts=scope.opts,
            )
            vcn, ways = made.id, _ways(plan, scope, made.id)
        closed = core.SecurityList(
            "rules",
            vcn_id=vcn,
            display_name=f"{plan.names.base}-outbound",
            # The default one of a VCN lets SSH in from anywhere. This tells that a packet was too
            # large for the way: without it, large downloads through tunnels hang.
            ingress_security_rules=[
                core.SecurityListIngressSecurityRuleArgs(
                    source=_ANYWHERE,
                    protocol=_ICMP,
                    icmp_options=core.SecurityListIngressSecurityRuleIcmpOptionsArgs(
                        type=_UNREACHABLE, code=_TOO_LARGE
                    ),
                )
            ],
            egress_security_rules=[
                core.SecurityListEgressSecurityRuleArgs(destination=_ANYWHERE, protocol=_ALL)
            ],
            **scope.inside,
            opts=scope.opts,
        )

        def subnet(part: str, cidr: str, route: Output[str] | None, private: bool) -> Output[str]:
            return core.Subnet(
                f"{part}-subnet",
                vcn_id=vcn,
                cidr_block=cidr,
                display_name=f"{plan.names.base}-{part}",
                # In a network of somebody else's, another stack may have the name.
                dns_label=None if settings.vcn_id else part,
                prohibit_public_ip_on_vnic=private,
                route_table_id=route,
                security_list_ids=[closed.id],
                **scope.inside,
                opts=scope.opts,
            ).id

        self.public = None
        if not settings.private:
            self.public = subnet(PUBLIC, plan.subnets.public, ways.public, private=False)
        self.proxy_rules = _rules_group("front", plan, scope, vcn)
        for index, cidr in enumerate(settings.allowed_cidrs):
            _let_in(f"front-{index}", self.proxy_rules, cidr, PORT, scope)
        self.server_rules = _rules_group("server", plan, scope, vcn)
        # The load balancer's own probes; requests keep the address of who sends them.
        probes = plan.subnets.public if self.public else plan.subnets.compute
        _let_in("front-probes", self.server_rules, probes, PORT, scope)
        for index, cidr in enumerate(settings.ssh_cidrs):
            _let_in(f"ssh-{index}", self.server_rules, cidr, _SSH_PORT, scope)
        rules = self.database_rules = _rules_group("database", plan, scope, vcn)
        own = self.server_rules
        _let_in("database-from-server", rules, own, plan.database_port, scope, is_group=True)
        self.compute = subnet(COMPUTE, plan.subnets.compute, ways.private, private=True)
        self.database = subnet(DATABASE, plan.subnets.database, ways.private, private=True)
        self.finish()


def _ways(plan: OciPlan, scope: Scope, vcn: Output[str]) -> _Ways:
    nat = core.NatGateway(
        "nat",
        vcn_id=vcn,
        display_name=f"{plan.names.base}-nat",
        **scope.inside,
        opts=scope.opts,
    )
    services = core.get_services_output(opts=scope.invoke).services.apply(
        lambda found: next(s for s in found if s.cidr_block.startswith("all-"))
    )
    gateway = core.ServiceGateway(
        "services",
        vcn_id=vcn,
        display_name=f"{plan.names.base}-services",
        services=[core.ServiceGatewayServiceArgs(service_id=services.id)],
        **scope.inside,
        opts=scope.opts,
    )
    # Object Storage, Vault and the registry are reached without the internet.
    to_services = core.RouteTableRouteRuleArgs(
        destination=services.cidr_block,
        destination_type="SERVICE_CIDR_BLOCK",
        network_entity_id=gateway.id,
    )
    private = _route_table("private", plan, scope, vcn, [to_services, _to(nat.id)])
    if plan.settings.private:
        return _Ways(None, private)
    internet = core.InternetGateway(
        "internet",
        vcn_id=vcn,
        display_name=f"{plan.names.base}-internet",
        **scope.inside,
        opts=scope.opts,
    )
    return _Ways(_route_table("public", plan, scope, vcn, [_to(internet.id)]), private)


def _to(gateway: Output[str]) -> core.RouteTableRouteRuleArgs:
    return core.RouteTableRouteRuleArgs(
        destination=_ANYWHERE, destination_type="CIDR_BLOCK", network_entity_id=gateway
    )


def _route_table(
    name: str,
    plan: OciPlan,
    scope: Scope,
    vcn: Output[str],
    rules: list[core.RouteTableRouteRuleArgs],
) -> Output[str]:
    return core.RouteTable(
        f"{name}-routes",
        vcn_id=vcn,
        display_name=f"{plan.names.base}-{name}",
        route_rules=rules,
        **scope.inside,
        opts=scope.opts,
    ).id


def _rules_group(name: str, plan: OciPlan, scope: Scope, vcn: Output[str]) -> Output[str]:
    return core.NetworkSecurityGroup(
        f"{name}-rules",
        vcn_id=vcn,
        display_name=f"{plan.names.base}-{name}",
        **scope.inside,
        opts=scope.opts,
    ).id


def _let_in(
    name: str,
    group: Output[str],
    source: pulumi.Input[str],
    port: int,
    scope: Scope,
    *,
    is_group: bool = False,
) -> None:
    core.NetworkSecurityGroupSecurityRule(
        name,
        network_security_group_id=group,
        direction="INGRESS",
        protocol=_TCP,
        source=source,
        source_type="NETWORK_SECURITY_GROUP" if is_group else "CIDR_BLOCK",
        tcp_options=core.NetworkSecurityGroupSecurityRuleTcpOptionsArgs(
            destination_port_range=_PortRange(min=port, max=port)
        ),
        opts=scope.opts,
    )
