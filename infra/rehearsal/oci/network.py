"""Virtual cloud networks, subnets and security groups."""

import ipaddress
from collections.abc import Iterable

from infra.rehearsal.oci.ids import ocid
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider import checks
from infra.rehearsal.provider.checks import Network
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.resource import Function
from infra.rehearsal.provider.store import Store
from infra.rehearsal.provider.values import Props, child, items

_SERVICES = "all-fra-services-in-oracle-services-network"


class _Networked(OciResource):
    service = "Core"

    def network(self, text: str) -> Network:
        def malformed(text: str) -> CloudError:
            return self.refusal("InvalidParameter", f"The requested CIDR {text} is invalid.")

        def host_bits(text: str, right: str) -> CloudError:
            mine, theirs = text.split("/")[0], right.split("/")[0]
            reason = f"CIDR IP {mine} does not match network IP {theirs}."
            return self.refusal(
                "InvalidParameter", f"The requested CIDR {text} is invalid: {reason}"
            )

        return checks.network(text, malformed, host_bits)

    def check_label(self, label: str | None) -> None:
        wrong = f"DNS label {label} is invalid: it must begin with a letter, alphanumeric, 1 to 15."
        if label is not None:
            error = self.refusal("InvalidParameter", wrong)
            checks.named(label, "[a-zA-Z][a-zA-Z0-9]*", 1, 15, error)


class Vcn(_Networked):
    token = "oci:Core/vcn:Vcn"
    kind = "vcn"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        for network in blocks(self, inputs):
            if not 16 <= network.prefixlen <= 30:
                size = f"The VCN's CIDR {network} must be between /16 and /30."
                raise self.refusal("InvalidParameter", size)
        self.check_label(inputs.get("dnsLabel"))

    def compute(self, id: str, inputs: Props) -> Props:
        label = inputs.get("dnsLabel")
        domain = {"vcnDomainName": f"{label}.oraclevcn.com"} if label else {}
        return {**super().compute(id, inputs), "state": "AVAILABLE", **domain}

    def delete(self, id: str, known: Props) -> None:
        inside = (Subnet, NetworkSecurityGroup, SecurityList, RouteTable)
        for token in (
            kind.token for kind in (*inside, InternetGateway, NatGateway, ServiceGateway)
        ):
            for record in self.store.find(token, vcnId=id):
                message = f"The VCN {id} cannot be deleted because it still has {record.id}."
                raise self.refusal("Conflict", message, 409)


class Subnet(_Networked):
    token = "oci:Core/subnet:Subnet"
    kind = "subnet"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        vcn = self.referred(inputs["vcnId"], Vcn)
        network = self.network(inputs.get("cidrBlock", ""))
        outside = (
            f"The requested CIDR {network} is invalid: it is not within the VCN's CIDR blocks."
        )
        checks.within(network, blocks(self, vcn), self.refusal("InvalidParameter", outside))
        taken = [
            self.network(record.props["cidrBlock"])
            for record in self.store.find(self.token, vcnId=inputs["vcnId"])
            if record.id != self.call.id
        ]

        def overlap(other: Network) -> CloudError:
            clash = (
                f"The requested CIDR {network} is invalid: it overlaps with subnet CIDR {other}."
            )
            return self.refusal("InvalidParameter", clash)

        checks.apart(network, taken, overlap)
        self.check_label(inputs.get("dnsLabel"))
        if route := inputs.get("routeTableId"):
            self.referred(route, RouteTable)
        for rules in inputs.get("securityListIds") or ():
            self.referred(rules, SecurityList)


class _OfVcn(_Networked):
    """What is in a VCN and names it."""

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        self.referred(inputs["vcnId"], Vcn)


class InternetGateway(_OfVcn):
    token = "oci:Core/internetGateway:InternetGateway"
    kind = "internetgateway"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        others = self.store.find(self.token, vcnId=inputs["vcnId"])
        if any(other.id != self.call.id for other in others):
            message = "A VCN has at most one internet gateway."
            raise self.refusal("LimitExceeded", message)


class NatGateway(_OfVcn):
    token = "oci:Core/natGateway:NatGateway"
    kind = "natgateway"


class ServiceGateway(_OfVcn):
    token = "oci:Core/serviceGateway:ServiceGateway"
    kind = "servicegateway"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        known = ocid("service", _SERVICES)
        if any(service.get("serviceId") != known for service in items(inputs, "services")):
            raise self.not_found()


class GetServices(Function):
    token = "oci:Core/getServices:getServices"

    def invoke(self, args: Props) -> Props:
        service = {
            "id": ocid("service", _SERVICES),
            "cidrBlock": _SERVICES,
            "name": "All FRA Services In Oracle Services Network",
            "description": "",
        }
        return {"id": "services", "services": [service]}


class RouteTable(_OfVcn):
    token = "oci:Core/routeTable:RouteTable"
    kind = "routetable"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        for rule in items(inputs, "routeRules"):
            gateway = str(rule.get("networkEntityId"))
            record = self.store.get(gateway)
            kinds = (InternetGateway.token, NatGateway.token, ServiceGateway.token)
            if record is None or record.token not in kinds:
                raise self.not_found()
            to_services = rule.get("destinationType") == "SERVICE_CIDR_BLOCK"
            if to_services != (record.token == ServiceGateway.token):
                message = f"Route target {gateway} does not fit {rule.get('destination')}."
                raise self.refusal("InvalidParameter", message)


class SecurityList(_OfVcn):
    token = "oci:Core/securityList:SecurityList"
    kind = "securitylist"


class NetworkSecurityGroup(_Networked):
    token = "oci:Core/networkSecurityGroup:NetworkSecurityGroup"
    kind = "networksecuritygroup"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        self.referred(inputs["vcnId"], Vcn)


class SecurityRule(OciResource):
    """A rule of a group; it has no compartment of its own."""

    token = "oci:Core/networkSecurityGroupSecurityRule:NetworkSecurityGroupSecurityRule"
    kind = "securityrule"
    service = "Core"

    def verify(self, inputs: Props) -> None:
        self.referred(inputs["networkSecurityGroupId"], NetworkSecurityGroup)
        source, is_group = inputs.get("source"), inputs.get("sourceType")
        if inputs["direction"] == "INGRESS" and not source:
            raise self.refusal("InvalidParameter", "An ingress rule needs a source.")
        if is_group == "NETWORK_SECURITY_GROUP":
            self.referred(source, NetworkSecurityGroup)
        elif source and not _is_network(source):
            raise self.refusal("InvalidParameter", f"The source {source} is no CIDR block.")


def verify_vnic(owner: OciResource, vnic: Props, *, is_public: bool) -> None:
    """Refuse a VNIC whose subnet or groups are not there, or whose subnet has no public ones."""
    subnet = owner.referred(vnic["subnetId"], Subnet)
    if is_public and subnet.get("prohibitPublicIpOnVnic"):
        message = "The subnet lets no VNIC have a public address."
        raise owner.refusal("InvalidParameter", message)
    for group in vnic.get("nsgIds") or ():
        owner.referred(group, NetworkSecurityGroup)


def lets_in(store: Store, groups: Iterable[str], caller: str, port: int) -> bool:
    """Whether one of the security groups lets an address in at a TCP port."""
    found: list[Network] = []
    for record in store.find(SecurityRule.token):
        rule = record.props
        ports = child(child(rule, "tcpOptions"), "destinationPortRange")
        fits = not ports or int(ports["min"]) <= port <= int(ports["max"])
        of_groups = rule["networkSecurityGroupId"] in groups and rule["direction"] == "INGRESS"
        if of_groups and fits and rule.get("sourceType") == "CIDR_BLOCK":
            found.append(ipaddress.ip_network(rule["source"]))
    return any(ipaddress.ip_address(caller) in allowed for allowed in found)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def blocks(resource: _Networked, inputs: Props) -> list[Network]:
    given = items(inputs, "cidrBlocks") or [inputs.get("cidrBlock")]
    return [resource.network(block) for block in given if block]
