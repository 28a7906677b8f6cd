"""The plan of a server on OCI."""

import ipaddress
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from infra.plan.environment import Runtime
from infra.plan.image import ImagePlan, plan_image
from infra.plan.naming import OCI, Naming, base_of, tags
from infra.plan.place import Place, certificate
from infra.plan.proxy import reverse_proxy
from infra.plan.workloads import (
    DATA_DIRECTORY,
    SERVER_PORT,
    Schedulers,
    Site,
    Workloads,
    make_workloads,
)
from infra.settings.oci import Oci
from runtime.jobs.schedules import schedules
from runtime.oci.vault import PORTS
from runtime.settings import environment_of

# Stands in the workloads' environment for the address, which only OCI knows.
UNKNOWN_ADDRESS = "address.trackstack.invalid"
# Of the bucket's namespace, which only OCI knows too.
UNKNOWN_NAMESPACE = "namespace.trackstack.invalid"
COMPUTE, DATABASE, PUBLIC = "compute", "database", "public"
DATABASE_NAME = DATABASE_USER = "mlflow"
ADMINISTRATOR = "trackstack"
_CPUS_OF_OCPU = 2
# Beside it, in one network namespace, and the only one who may say whom he speaks for.
_BEHIND_PROXY = environment_of(behind_proxy=True) | {"FORWARDED_ALLOW_IPS": "127.0.0.1"}
_SCHEDULERS: dict[str, Schedulers] = {
    "container": "scheduler",
    "scale": "replicas",
    "vm": "platform",
}


def exact(number: float) -> float:
    """The number as OCI's provider keeps it, which is in single precision.

    It compares what it kept with what it is given, and so would replace an instance of 1.9 GiB at
    each `up`: for want of 0.00000002.
    """
    found: tuple[float] = struct.unpack("f", struct.pack("f", number))
    return found[0]


@dataclass(frozen=True)
class Names:
    """What is named by the plan, because its name is part of an address or has narrow limits."""

    base: str
    repository: str
    bucket: str
    backup_bucket: str
    dns_label: str
    identity: str


@dataclass(frozen=True)
class Subnets:
    """CIDRs of a VCN: ``whole``, and the parts of it that the stack uses."""

    whole: str
    compute: str
    database: str
    public: str


@dataclass(frozen=True)
class OciPlan:
    """What the stack file leaves open, beside what it says (``settings``).

    Without a host name, users reach the server by its address, which stands in ``tracking_uri`` and
    in the workloads' environment as UNKNOWN_ADDRESS. One of them makes database and user where the
    stack makes the database.
    """

    package: ClassVar[str] = Oci.package

    settings: Oci
    names: Names
    tags: Mapping[str, str]
    subnets: Subnets
    image: ImagePlan
    registry_host: str
    artifacts_destination: str
    backup_destination: str
    earlier_backups: str | None
    tracking_uri: str
    tls_certificate: str | None
    schedules: Mapping[str, str]
    version: str
    workloads: Workloads

    @property
    def home(self) -> dict[str, str]:
        """Where the stack is for good: keys of the stack file, with what they come to."""
        return {
            "tenancyId": self.settings.tenancy_id,
            "compartmentId": self.settings.compartment_id,
            "region": self.settings.region,
            "name": self.names.base,
        }

    @property
    def ocpus(self) -> float:
        """What OCI counts: two of the stack file's CPUs each, and one at least."""
        return exact(max(1.0, self.settings.cpus / _CPUS_OF_OCPU))

    @property
    def memory(self) -> float:
        """GiB of the instance, or of each."""
        return exact(self.settings.memory)

    @property
    def compute_shape(self) -> str:
        """What the server runs on."""
        return self.settings.machine_shape

    @property
    def makes_vault(self) -> bool:
        """Whether secrets of the stack are kept in a vault of its own."""
        return self.keeps_secrets and not self.settings.vault_id

    @property
    def keeps_secrets(self) -> bool:
        """Whether secrets of the stack are kept in a vault."""
        return self.settings.compute != "container" or bool(self.workloads.of("init"))

    @property
    def database_port(self) -> int:
        """Of the database that the stack makes."""
        return PORTS[self.settings.database]


def _names(settings: Oci, stack: str) -> Names:
    # A bucket is unique in its tenancy's namespace, and a deleted stack's may be kept.
    naming = Naming(base_of(settings.name, stack), f"{settings.tenancy_id}/{settings.region}")
    return Names(
        base=naming.base,
        repository=naming.name(OCI["repository"]),
        bucket=naming.name(OCI["bucket"]),
        backup_bucket=naming.name(OCI["bucket"], "backups"),
        dns_label=naming.name(OCI["dns_label"]),
        identity=naming.name(OCI["identity"]),
    )


def _subnets(settings: Oci) -> Subnets:
    parts = ipaddress.IPv4Network(settings.network_cidr).subnets(prefixlen_diff=2)
    compute, database, public, _ = (str(part) for part in parts)
    return Subnets(settings.network_cidr, compute, database, public)


def make_plan(settings: Oci, place: Place) -> OciPlan:
    """Decide everything that the stack file leaves open.

    Raises StackError where a file that it names cannot be used or a secret is missing.
    """
    names = _names(settings, place.stack)
    address = settings.hostname or UNKNOWN_ADDRESS
    bucket = f"oci://{names.bucket}@{UNKNOWN_NAMESPACE}"
    upstream = f"127.0.0.1:{SERVER_PORT}"
    is_container = settings.compute == "container"
    runtime = Runtime(
        data_dir=DATA_DIRECTORY,
        artifacts_destination=f"{bucket}/artifacts",
        # Not with the artifacts, of which they are: what empties one bucket leaves the other.
        backup_destination=settings.backup_destination
        or f"oci://{names.backup_bucket}@{UNKNOWN_NAMESPACE}/backups",
        earlier_backups=None if settings.backup_destination else f"{bucket}/backups",
        # A container is probed by its platform, from wherever that is; security groups let others
        # reach the proxy alone.
        host="0.0.0.0" if is_container else "127.0.0.1",  # noqa: S104
        port=SERVER_PORT,
        server_uri=f"http://{upstream}{settings.path_prefix}",
        public_url=f"https://{address}{settings.path_prefix}",
        stack=place.stack,
    )
    given = "backendStoreUri" in place.secret_keys
    metrics = f"{settings.compartment_id}/{names.base}" if settings.alert_email else None
    site = Site(
        runtime=runtime,
        cpus=settings.cpus,
        memory=settings.memory,
        jobs=_SCHEDULERS[settings.compute],
        secret_keys=place.secret_keys,
        # Otherwise it is in Vault, where the server reads it by itself.
        store_file=given,
        makes_database=not (given or settings.database_secret_id),
        proxy=reverse_proxy(
            settings, (address,), upstream=upstream, probed_below=settings.path_prefix
        ),
        for_server=_BEHIND_PROXY if is_container else {},
        for_jobs=environment_of(oci_metrics=metrics),
    )
    return OciPlan(
        settings=settings,
        names=names,
        tags=tags(place.stack, settings.tags),
        subnets=_subnets(settings),
        image=plan_image(settings, settings, place, ("mysql", "oci", "postgresql")),
        registry_host=settings.registry_host or f"{settings.region}.ocir.io",
        artifacts_destination=runtime.artifacts_destination,
        backup_destination=runtime.backup_destination,
        earlier_backups=runtime.earlier_backups,
        tracking_uri=runtime.public_url,
        tls_certificate=certificate(settings, place),
        schedules=schedules(settings),
        version=place.version,
        workloads=make_workloads(settings, site),
    )
