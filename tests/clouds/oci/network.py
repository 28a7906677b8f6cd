"""Virtual cloud networks, subnets and security groups."""

from tests.clouds.framework import checks
from tests.clouds.framework.checks import Network
from tests.clouds.framework.errors import CloudError
from tests.clouds.framework.values import Props, items
from tests.clouds.oci.resource import OciResource


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
    fixed = frozenset({"cidrBlock", "dnsLabel"})

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
        for token in (Subnet.token, NetworkSecurityGroup.token):
            for record in self.store.find(token, vcnId=id):
                message = f"The VCN {id} cannot be deleted because it still has {record.id}."
                raise self.refusal("Conflict", message, 409)


class Subnet(_Networked):
    token = "oci:Core/subnet:Subnet"
    kind = "subnet"
    fixed = frozenset(
        {"vcnId", "compartmentId", "availabilityDomain", "dnsLabel", "prohibitPublicIpOnVnic"}
    )

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


class NetworkSecurityGroup(_Networked):
    token = "oci:Core/networkSecurityGroup:NetworkSecurityGroup"
    kind = "networksecuritygroup"
    fixed = frozenset({"vcnId"})

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        self.referred(inputs["vcnId"], Vcn)


def blocks(resource: _Networked, inputs: Props) -> list[Network]:
    given = items(inputs, "cidrBlocks") or [inputs.get("cidrBlock")]
    return [resource.network(block) for block in given if block]
