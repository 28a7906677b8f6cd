"""Reserved addresses, and the network load balancers that hold them."""

import hashlib

from infra.rehearsal.oci.network import NetworkSecurityGroup, Subnet
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider.values import Props, child, items


class PublicIp(OciResource):
    token = "oci:Core/publicIp:PublicIp"
    kind = "publicip"
    service = "Core"

    def compute(self, id: str, inputs: Props) -> Props:
        # TEST-NET-2: nobody's.
        last = int(hashlib.sha256(id.encode()).hexdigest()[:4], 16) % 250 + 2
        return {**super().compute(id, inputs), "ipAddress": f"198.51.100.{last}"}


class NetworkLoadBalancer(OciResource):
    token = "oci:NetworkLoadBalancer/networkLoadBalancer:NetworkLoadBalancer"
    kind = "networkloadbalancer"
    endpoint = "network-load-balancer-api"
    service = "NetworkLoadBalancer"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        subnet = self.referred(inputs["subnetId"], Subnet)
        if not inputs.get("isPrivate") and subnet.get("prohibitPublicIpOnVnic"):
            message = "A public load balancer needs a public subnet."
            raise self.refusal("InvalidParameter", message)
        for group in inputs.get("networkSecurityGroupIds") or ():
            self.referred(group, NetworkSecurityGroup)
        for reserved in items(inputs, "reservedIps"):
            if reserved.get("id"):
                self.referred(reserved["id"], PublicIp)

    def compute(self, id: str, inputs: Props) -> Props:
        found = [self.store.get(str(ip.get("id"))) for ip in items(inputs, "reservedIps")]
        addresses = [
            {"ipAddress": record.props["ipAddress"], "isPublic": True} for record in found if record
        ] or [{"ipAddress": f"10.80.0.{int(id[-2:], 16) % 50 + 50}", "isPublic": False}]
        return {**super().compute(id, inputs), "ipAddresses": addresses}


class _OfBalancer(OciResource):
    """A part of a load balancer; it has no compartment of its own."""

    service = "NetworkLoadBalancer"

    def verify(self, inputs: Props) -> None:
        self.referred(inputs["networkLoadBalancerId"], NetworkLoadBalancer)
        named = inputs.get("backendSetName") or inputs.get("defaultBackendSetName")
        same = {"networkLoadBalancerId": inputs["networkLoadBalancerId"], "name": named}
        if named and not self.store.find(BackendSet.token, **same):
            raise self.refusal("InvalidParameter", f"There is no backend set '{named}'.")


class BackendSet(_OfBalancer):
    token = "oci:NetworkLoadBalancer/backendSet:BackendSet"
    kind = "backendset"


def checked_path(backend_set: Props) -> str:
    """The path that its health checker asks for."""
    return str(child(backend_set, "healthChecker")["urlPath"])


class Listener(_OfBalancer):
    token = "oci:NetworkLoadBalancer/listener:Listener"
    kind = "listener"


class Backend(_OfBalancer):
    token = "oci:NetworkLoadBalancer/backend:Backend"
    kind = "backend"
    # As the provider's bridge names it, where the program does not.
    name_input = "name"
    autoname_separator = "-"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        if not (inputs.get("ipAddress") or inputs.get("targetId")):
            raise self.refusal("InvalidParameter", "A backend needs an address or a target.")
