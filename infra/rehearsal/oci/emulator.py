"""Emulates OCI on this machine: the host, who signs requests, and what they may do."""

import base64
import json
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from infra.rehearsal.host import registry
from infra.rehearsal.host.endpoint import Request, Response, json_response
from infra.rehearsal.host.host import Host
from infra.rehearsal.oci.access import iam
from infra.rehearsal.oci.access.federation import Federation
from infra.rehearsal.oci.access.policies import Verb
from infra.rehearsal.oci.access.principals import Principals
from infra.rehearsal.oci.access.signatures import signed_target, signer
from infra.rehearsal.oci.ids import NAMESPACE, REGION
from infra.rehearsal.oci.objects import ObjectStorage, Permission
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.values import child

REPOSITORY = "oci:Artifacts/containerRepository:ContainerRepository"
SECRET = "oci:Vault/secret:Secret"
_NEEDS: dict[Permission, tuple[Verb, str]] = {
    "BUCKET_READ": ("read", "buckets"),
    "OBJECT_INSPECT": ("inspect", "objects"),
    "OBJECT_READ": ("read", "objects"),
    "OBJECT_CREATE": ("manage", "objects"),
    "OBJECT_DELETE": ("manage", "objects"),
}
# Endpoint of the cloud -> route of the fake API endpoint
HOSTS = {
    f"objectstorage.{REGION}.oraclecloud.com": "/objects",
    f"secrets.vaults.{REGION}.oci.oraclecloud.com": "/secrets",
    f"auth.{REGION}.oraclecloud.com": "/auth",
    f"telemetry-ingestion.{REGION}.oraclecloud.com": "/metrics",
    f"iaas.{REGION}.oraclecloud.com": "/api",
    f"network-load-balancer-api.{REGION}.oci.oraclecloud.com": "/api",
}


@dataclass
class Emulator:
    """Lives as long as the process that serves the cloud."""

    cloud: Cloud
    host: Host
    principals: Principals = field(default_factory=Principals)
    # Tokens of the registry -> whose they are.
    tokens: dict[str, str] = field(default_factory=dict[str, str])
    # What Monitoring has received: (dimensions, value).
    metrics: list[tuple[dict[str, str], float]] = field(
        default_factory=list[tuple[dict[str, str], float]]
    )

    # Held by what begins or ceases to serve an endpoint, of which the engine makes several at once.
    changing: threading.Lock = field(default_factory=threading.Lock)
    # The ids of what is being deleted or was.
    leaving: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.objects = ObjectStorage(NAMESPACE, self.principals.known, self._may_use_bucket)
        self.federation = Federation(self.cloud, self.host.authority, self.principals)

    @property
    def registry(self) -> str:
        """The container registry's address, the same for all processes of a rehearsal."""
        kept = self.host.folder / "registry-address"
        if not kept.exists():
            kept.write_text(registry.new_address())
        return kept.read_text()

    def open(self) -> None:
        """Serve OCI's APIs at the host's endpoint."""
        routes = self.host.endpoint.routes
        routes["/objects"] = self.objects.answer
        routes["/secrets"] = self._secret
        routes["/metrics"] = self._metrics
        routes["/auth"] = self.federation.answer
        routes["/20180419/docker/token"] = self._token
        routes["/registry"] = self._registry

    def deployer(self) -> Path:
        """The configuration file of who deploys."""
        folder = self.host.files("deployer", {})
        return self.principals.configure(folder, iam.DEPLOYER)

    def publish(self, service: str) -> None:
        """Serve one of HOSTS, by its first part, at the very name that it has in the cloud."""
        hostname = next(hostname for hostname in HOSTS if hostname.split(".")[0] == service)
        self.host.publish(service, hostname, HOSTS[hostname])

    def may(self, principal: str, verb: Verb, resource: str, id: str, **facts: str) -> bool:
        """Whether a principal may do something with what is there under an id."""
        record = self.cloud.store.get(id)
        compartment = str(record.props.get("compartmentId")) if record else ""
        known = {f"target.{name.replace('_', '.')}": value for name, value in facts.items()}
        known["compartment"] = compartment
        return record is not None and iam.may(self.cloud, principal, verb, resource, known)

    def registry_token(self, principal: str) -> str:
        token = secrets.token_urlsafe(32)
        self.tokens[token] = principal
        return token

    def may_pull(self, principal: str, repository: str) -> bool:
        found = self.cloud.store.find(REPOSITORY, displayName=repository)
        return any(
            self.may(principal, "read", "repos", record.id, repo_name=repository)
            for record in found
        )

    def _may_use_bucket(self, principal: str, permission: Permission, bucket: str) -> bool:
        verb, resource = _NEEDS[permission]
        id = f"n/{NAMESPACE}/b/{bucket}"
        return self.may(principal, verb, resource, id, bucket_name=bucket)

    def _secret(self, request: Request) -> Response:
        """https://docs.oracle.com/iaas/api/#/en/secretretrieval/20190301/SecretBundle/"""
        principal = signer(request, self.principals.known)
        if principal is None:
            return json_response(401, {"code": "NotAuthenticated", "message": "not signed"})
        path = signed_target(request).partition("?")[0]
        id = unquote(path.rpartition("/")[2])
        found = self.cloud.store.get(id)
        allowed = self.may(principal, "read", "secret-bundles", id, secret_id=id)
        if found is None or found.token != SECRET or not allowed:
            code = "NotAuthorizedOrNotFound"
            return json_response(404, {"code": code, "message": f"{code}: {id}"})
        content = child(found.props, "secretContent")["content"]
        bundle = {"contentType": "BASE64", "content": content}
        return json_response(
            200, {"secretId": id, "versionNumber": 1, "secretBundleContent": bundle}
        )

    def _metrics(self, request: Request) -> Response:
        """https://docs.oracle.com/iaas/api/#/en/monitoring/20180401/MetricData/PostMetricData"""
        principal = signer(request, self.principals.known)
        if principal is None:
            return json_response(401, {"code": "NotAuthenticated", "message": "not signed"})
        given = json.loads(request.body)["metricData"]
        for metric in given:
            known = {
                "compartment": metric["compartmentId"],
                "target.metrics.namespace": metric["namespace"],
            }
            if not iam.may(self.cloud, principal, "use", "metrics", known):
                code = "NotAuthorizedOrNotFound"
                return json_response(404, {"code": code, "message": "no policy allows it"})
        self.metrics += [
            (metric["dimensions"], point["value"])
            for metric in given
            for point in metric["datapoints"]
        ]
        return json_response(200, {"failedMetricsCount": 0, "failedMetrics": []})

    def _token(self, request: Request) -> Response:
        principal = signer(request, self.principals.known)
        if principal is None:
            return json_response(401, {"code": "NotAuthenticated", "message": "not signed"})
        return json_response(200, {"token": self.registry_token(principal)})

    def _registry(self, request: Request) -> Response:
        """Whether a push or pull may pass."""
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        password = base64.b64decode(shown).decode().partition(":")[2] if kind == "Basic" else ""
        principal = self.tokens.get(password)
        if principal is None:
            return Response(401, headers={"WWW-Authenticate": 'Basic realm="rehearsal"'})
        path = request.headers.get("x-forwarded-uri", "").partition("?")[0].split("/")
        # /v2/NAMESPACE/REPOSITORY/...; a login requests /v2/ itself.
        repository = path[3] if len(path) > 3 else ""
        reads = request.headers.get("x-forwarded-method") in ("GET", "HEAD")
        allowed = not repository or (reads and self.may_pull(principal, repository))
        if principal == iam.DEPLOYER or allowed:
            return Response(200)
        return json_response(
            403, {"errors": [{"code": "DENIED", "message": "no policy allows it"}]}
        )


def make_emulator(cloud: Cloud, state_dir: Path) -> Emulator:
    """The emulator of a cloud, with its files under ``state_dir``."""
    made = Emulator(cloud, Host("oci", state_dir / "oci"))
    made.open()
    return made
