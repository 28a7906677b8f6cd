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
        held = {
            reserved.get("id")
            for other in self.store.find(self.token)
            if other.id != self.call.id
            for reserved in items(other.props, "reservedIps")
        }
        for reserved in items(inputs, "reservedIps"):
            if id := reserved.get("id"):
                self.referred(id, PublicIp)
                if id in held:
                    message = f"The reserved IP {id} is assigned to another load balancer."
                    raise self.refusal("Conflict", message, 409)

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

    def compute(self, id: str, inputs: Props) -> Props:
        """Its backends, which come later and are others' to add, as a refresh sees them."""
        same = {"networkLoadBalancerId": inputs["networkLoadBalancerId"]}
        found = self.store.find(Backend.token, **same, backendSetName=inputs["name"])
        names = [{"name": each.props["name"]} for each in found]
        return {**super().compute(id, inputs), "backends": names}

    def read(self, id: str, known: Props) -> Props | None:
        props = super().read(id, known)
        return {**props, **self.compute(id, props)} if props else None

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        """As the provider does it: it sends what the state has of as many as there are now.

        https://github.com/oracle/terraform-provider-oci, 8.28.0,
        internal/service/network_load_balancer/network_load_balancer_backend_set_resource.go
        """
        if len(items(known, "backends")) < len(items(self.compute(id, inputs), "backends")):
            raise self.refusal("InvalidParameter", "backends[0].port must not be null")
        return super().update(id, inputs, known)


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
