"""Compute management and network load balancers, as the deployer calls them."""

import json
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import unquote

from infra.rehearsal.host.endpoint import Request, Response, json_response
from infra.rehearsal.oci.access import iam
from infra.rehearsal.oci.access.signatures import signed_target, signer
from infra.rehearsal.oci.balancer import Backend, BackendSet, checked_path
from infra.rehearsal.oci.compute import pools
from infra.rehearsal.oci.compute.instances import Instance
from infra.rehearsal.oci.emulator import Emulator
from infra.rehearsal.oci.ids import ocid
from infra.rehearsal.provider.store import Record
from infra.rehearsal.provider.values import Props
from runtime import health


def is_healthy(address: str, path: str = health.PATH) -> bool:
    """As the load balancer's health checker finds out: it looks at no certificate."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting)
    )
    try:
        with opener.open(f"https://{address}{path}", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


_CHANGE_SECONDS = 0.5


@dataclass(frozen=True)
class Api:
    """Answers who deploys, and nobody else.

    https://docs.oracle.com/iaas/api/#/en/iaas/latest/InstancePool/
    https://docs.oracle.com/iaas/api/#/en/networkloadbalancer/latest/Backend/
    """

    emulator: Emulator
    # Balancer -> until when it is at a change, by the monotonic clock.
    busy: dict[str, float] = field(default_factory=dict[str, float])

    def answer(self, request: Request) -> Response:
        principal = signer(request, self.emulator.principals.known)
        if principal is None or principal != iam.DEPLOYER:
            return json_response(401, {"code": "NotAuthenticated", "message": "not signed"})
        path = [unquote(part) for part in signed_target(request).partition("?")[0].split("/")[2:]]
        match path:
            case ["instancePools", id]:
                return self._pool(id)
            case ["instancePools", id, "instances"]:
                return self._instances(id)
            case ["networkLoadBalancers", id, "backendSets", name, "backends"]:
                return json_response(200, {"items": [b.props for b in self._backends(id, name)]})
            case ["networkLoadBalancers", id, "backendSets", name, "backends", backend]:
                return self._change(id, name, backend, json.loads(request.body))
            case ["networkLoadBalancers", id, "backendSets", name, "backends", backend, "health"]:
                return self._health(id, name, backend)
            case ["workRequests", id]:
                return json_response(200, {"id": id, "status": "SUCCEEDED"})
            case _:
                return json_response(404, {"code": "NotFound", "message": "/".join(path)})

    def _pool(self, id: str) -> Response:
        found = self.emulator.cloud.store.get(id)
        if found is None:
            return json_response(404, {"code": "NotAuthorizedOrNotFound", "message": id})
        return json_response(200, {"id": id, "size": found.props["size"]})

    def _instances(self, pool: str) -> Response:
        store = self.emulator.cloud.store
        return json_response(
            200,
            [
                {"id": member.id, "loadBalancerBackends": self._attached(member)}
                for member in pools.members(store.find(Instance.token), pool)
            ],
        )

    def _attached(self, member: Record) -> list[Props]:
        address = member.props["privateIp"]
        return [
            {
                "loadBalancerId": backend.props["networkLoadBalancerId"],
                "backendSetName": backend.props["backendSetName"],
                "backendName": backend.props["name"],
            }
            for backend in self.emulator.cloud.store.find(Backend.token, ipAddress=address)
        ]

    def _health(self, balancer: str, name: str, backend: str) -> Response:
        found = [b for b in self._backends(balancer, name) if b.props["name"] == backend]
        if not found:
            return json_response(404, {"code": "NotAuthorizedOrNotFound", "message": backend})
        [checked] = self.emulator.cloud.store.find(
            BackendSet.token, networkLoadBalancerId=balancer, name=name
        )
        is_good = is_healthy(str(found[0].props["ipAddress"]), checked_path(checked.props))
        return json_response(
            200, {"status": "OK" if is_good else "CRITICAL", "healthCheckResults": []}
        )

    def _backends(self, balancer: str, name: str) -> list[Record]:
        same = {"networkLoadBalancerId": balancer, "backendSetName": name}
        return self.emulator.cloud.store.find(Backend.token, **same)

    def _change(self, balancer: str, name: str, backend: str, change: Props) -> Response:
        if time.monotonic() < self.busy.get(balancer, 0):
            message = "Invalid State Transition of NLB lifeCycle state from Updating to Updating"
            return json_response(409, {"code": "Conflict", "message": message})
        self.busy[balancer] = time.monotonic() + _CHANGE_SECONDS
        for found in self._backends(balancer, name):
            if found.props["name"] == backend:
                self.emulator.cloud.store.put(found.id, Backend.token, {**found.props, **change})
                return Response(202, headers={"opc-work-request-id": ocid("workrequest", backend)})
        return json_response(404, {"code": "NotAuthorizedOrNotFound", "message": backend})
