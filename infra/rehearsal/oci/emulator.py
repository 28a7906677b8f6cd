"""What makes a rehearsed OCI real: the ground, who signs, and what those may do on it."""

import base64
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from infra.rehearsal.host import registry
from infra.rehearsal.host.endpoint import Answer, Asked, as_json
from infra.rehearsal.host.host import Ground
from infra.rehearsal.oci.access import iam
from infra.rehearsal.oci.access.federation import Federation
from infra.rehearsal.oci.access.principals import Principals
from infra.rehearsal.oci.access.signatures import signed_target, signer
from infra.rehearsal.oci.data.objects import ObjectStorage, Permission
from infra.rehearsal.oci.identity import Verb
from infra.rehearsal.oci.resource import REGION
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.values import child

REPOSITORY = "oci:Artifacts/containerRepository:ContainerRepository"
SECRET = "oci:Vault/secret:Secret"
NAMESPACE = "rehearsal"
_NEEDS: dict[Permission, tuple[Verb, str]] = {
    "BUCKET_READ": ("read", "buckets"),
    "OBJECT_INSPECT": ("inspect", "objects"),
    "OBJECT_READ": ("read", "objects"),
    "OBJECT_CREATE": ("manage", "objects"),
    "OBJECT_DELETE": ("manage", "objects"),
}
# Endpoint of the cloud -> route of the door
HOSTS = {
    f"objectstorage.{REGION}.oraclecloud.com": "/objects",
    f"secrets.vaults.{REGION}.oci.oraclecloud.com": "/secrets",
    f"auth.{REGION}.oraclecloud.com": "/auth",
    f"telemetry-ingestion.{REGION}.oraclecloud.com": "/metrics",
    f"iaas.{REGION}.oraclecloud.com": "/api",
    f"network-load-balancer-api.{REGION}.oci.oraclecloud.com": "/api",
}


@dataclass
class Real:
    """Lives as long as the process that serves the cloud."""

    cloud: Cloud
    ground: Ground
    principals: Principals = field(default_factory=Principals)
    # Tokens of the registry -> whose they are.
    tokens: dict[str, str] = field(default_factory=dict[str, str])
    # What was told to Monitoring: (dimensions, value).
    metrics: list[tuple[dict[str, str], float]] = field(
        default_factory=list[tuple[dict[str, str], float]]
    )

    def __post_init__(self) -> None:
        self.objects = ObjectStorage(NAMESPACE, self.principals.known, self._may_use_bucket)
        self.federation = Federation(self.cloud, self.ground.authority, self.principals)

    @property
    def registry(self) -> str:
        """The container registry's address, the same for all processes of a rehearsal."""
        kept = self.ground.folder / "registry-address"
        if not kept.exists():
            kept.write_text(registry.new_address())
        return kept.read_text()

    def open(self) -> None:
        """Serve at the ground's door."""
        routes = self.ground.door.routes
        routes["/objects"] = self.objects.answer
        routes["/secrets"] = self._secret
        routes["/metrics"] = self._metrics
        routes["/auth"] = self.federation.answer
        routes["/20180419/docker/token"] = self._token
        routes["/registry"] = self._registry

    def deployer(self) -> Path:
        """The configuration file of who deploys."""
        folder = self.ground.files("deployer", {})
        return self.principals.configure(folder, iam.DEPLOYER)

    def endpoint(self, service: str) -> None:
        """Serve one of HOSTS, by its first part, at the very name that it has in the cloud."""
        host = next(host for host in HOSTS if host.split(".")[0] == service)
        self.ground.endpoint(service, host, HOSTS[host])

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

    def _secret(self, asked: Asked) -> Answer:
        """https://docs.oracle.com/iaas/api/#/en/secretretrieval/20190301/SecretBundle/"""
        principal = signer(asked, self.principals.known)
        if principal is None:
            return as_json(401, {"code": "NotAuthenticated", "message": "not signed"})
        path = signed_target(asked).partition("?")[0]
        id = unquote(path.rpartition("/")[2])
        found = self.cloud.store.get(id)
        allowed = self.may(principal, "read", "secret-bundles", id, secret_id=id)
        if found is None or found.token != SECRET or not allowed:
            code = "NotAuthorizedOrNotFound"
            return as_json(404, {"code": code, "message": f"{code}: {id}"})
        content = child(found.props, "secretContent")["content"]
        bundle = {"contentType": "BASE64", "content": content}
        return as_json(200, {"secretId": id, "versionNumber": 1, "secretBundleContent": bundle})

    def _metrics(self, asked: Asked) -> Answer:
        """https://docs.oracle.com/iaas/api/#/en/monitoring/20180401/MetricData/PostMetricData"""
        principal = signer(asked, self.principals.known)
        if principal is None:
            return as_json(401, {"code": "NotAuthenticated", "message": "not signed"})
        given = json.loads(asked.body)["metricData"]
        for metric in given:
            known = {
                "compartment": metric["compartmentId"],
                "target.metrics.namespace": metric["namespace"],
            }
            if not iam.may(self.cloud, principal, "use", "metrics", known):
                code = "NotAuthorizedOrNotFound"
                return as_json(404, {"code": code, "message": "no policy allows it"})
        self.metrics += [
            (metric["dimensions"], point["value"])
            for metric in given
            for point in metric["datapoints"]
        ]
        return as_json(200, {"failedMetricsCount": 0, "failedMetrics": []})

    def _token(self, asked: Asked) -> Answer:
        principal = signer(asked, self.principals.known)
        if principal is None:
            return as_json(401, {"code": "NotAuthenticated", "message": "not signed"})
        return as_json(200, {"token": self.registry_token(principal)})

    def _registry(self, asked: Asked) -> Answer:
        """Whether a push or pull may pass."""
        kind, _, shown = asked.headers.get("authorization", "").partition(" ")
        password = base64.b64decode(shown).decode().partition(":")[2] if kind == "Basic" else ""
        principal = self.tokens.get(password)
        if principal is None:
            return Answer(401, headers={"WWW-Authenticate": 'Basic realm="rehearsal"'})
        path = asked.headers.get("x-forwarded-uri", "").partition("?")[0].split("/")
        # /v2/NAMESPACE/REPOSITORY/...; /v2/ itself is asked for by a login.
        repository = path[3] if len(path) > 3 else ""
        reads = asked.headers.get("x-forwarded-method") in ("GET", "HEAD")
        allowed = not repository or (reads and self.may_pull(principal, repository))
        if principal == iam.DEPLOYER or allowed:
            return Answer(200)
        return as_json(403, {"errors": [{"code": "DENIED", "message": "no policy allows it"}]})


def make_real(cloud: Cloud, state_dir: Path) -> Real:
    """With all that it holds on this machine under ``state_dir``."""
    made = Real(cloud, Ground("oci", state_dir / "oci"))
    made.open()
    return made
