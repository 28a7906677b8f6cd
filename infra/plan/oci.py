"""The plan of a server on OCI."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace

from infra.plan import environment, proxy, workloads
from infra.plan.environment import Runtime
from infra.plan.image import ImagePlan, plan_image
from infra.plan.naming import OCI, Naming, base_of, tags
from infra.plan.place import Place, certificate
from infra.plan.workloads import Container
from infra.settings.oci import Oci
from runtime.jobs.schedules import schedules
from runtime.oci.vault import PORTS
from runtime.settings import environment_of, file_variable

FRONT_PORT = 443
# Stands in the containers' environment for the address, which only OCI knows.
UNKNOWN_ADDRESS = "address.trackstack.invalid"
# Of the bucket's namespace, which only OCI knows too.
UNKNOWN_NAMESPACE = "namespace.trackstack.invalid"
COMPUTE, DATABASE, PUBLIC = "compute", "database", "public"
DATABASE_NAME = DATABASE_USER = "mlflow"
ADMINISTRATOR = "trackstack"
_CPUS_OF_OCPU = 2


@dataclass(frozen=True)
class Names:
    """What is named by the plan, because its name is part of an address or has narrow limits."""

    base: str
    repository: str
    bucket: str
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
    in the containers' environment as UNKNOWN_ADDRESS. ``database`` is the
    container that makes database and user, None where the stack makes no database. ``jobs`` are
    those that run by themselves (`vm`, `scale`), by name; elsewhere ``scheduler`` runs them.
    """

    settings: Oci
    names: Names
    tags: Mapping[str, str]
    subnets: Subnets
    image: ImagePlan
    registry_host: str
    artifacts_destination: str
    backup_destination: str
    tracking_uri: str
    tls_certificate: str | None
    schedules: Mapping[str, str]
    version: str
    server: Container
    scheduler: Container
    jobs: Mapping[str, Container]
    front: Container
    database: Container | None

    @property
    def ocpus(self) -> float:
        """What OCI counts: two of the stack file's CPUs each, and one at least."""
        return max(1.0, self.settings.cpus / _CPUS_OF_OCPU)

    @property
    def database_port(self) -> int:
        """Of the database that the stack makes."""
        return PORTS[self.settings.database]

    @property
    def containers(self) -> tuple[Container, ...]:
        """All that run beside each other."""
        first = (self.database,) if self.database else ()
        alone = self.settings.compute in self.settings.machines
        jobs = tuple(self.jobs.values()) if alone else (self.scheduler,)
        return (*first, self.server, *jobs, self.front)


def _names(settings: Oci, stack: str) -> Names:
    # A bucket is unique in its tenancy's namespace, and a deleted stack's may be kept.
    naming = Naming(base_of(settings.name, stack), f"{settings.tenancy_id}/{settings.region}")
    return Names(
        base=naming.base,
        repository=naming.name(OCI["repository"]),
        bucket=naming.name(OCI["bucket"]),
        dns_label=naming.name(OCI["dns_label"]),
        identity=naming.name(OCI["identity"]),
    )


def _subnets(settings: Oci) -> Subnets:
    parts = ipaddress.IPv4Network(settings.network_cidr).subnets(prefixlen_diff=2)
    compute, database, public, _ = (str(part) for part in parts)
    return Subnets(settings.network_cidr, compute, database, public)


def _by_vault(container: Container) -> Container:
    """The container with the store's login from Vault, and not from a file."""
    [(variable, file)] = environment.STORE_SECRETS.items()
    kept = {k: v for k, v in container.environment.items() if k != variable}
    return replace(container, environment=kept, secret_files=container.secret_files - {file})


def _database(settings: Oci, runtime: Runtime, memory: float) -> Container:
    file = "database_admin_uri"
    return Container(
        name="database",
        command=("database",),
        environment={
            **environment.store(settings, runtime),
            file_variable("database_admin_uri"): f"{workloads.SECRETS_DIRECTORY}/{file}",
        },
        secret_files=frozenset({file}),
        port=None,
        cpus=settings.cpus,
        memory_request=0,
        memory_limit=memory,
    )


def plan_oci(settings: Oci, place: Place) -> OciPlan:
    """Decide everything that the stack file leaves open.

    Raises StackError where a file that it names cannot be used or a secret is missing.
    """
    names = _names(settings, place.stack)
    address = settings.hostname or UNKNOWN_ADDRESS
    bucket = f"oci://{names.bucket}@{UNKNOWN_NAMESPACE}"
    upstream = f"127.0.0.1:{workloads.SERVER_PORT}"
    runtime = Runtime(
        data_dir=workloads.DATA_DIRECTORY,
        artifacts_destination=f"{bucket}/artifacts",
        host="127.0.0.1",
        port=workloads.SERVER_PORT,
        server_uri=f"http://{upstream}",
        public_url=f"https://{address}",
    )
    # What is on a container's own disk goes with it.
    kept = settings.model_copy(
        update={"backup_destination": settings.backup_destination or f"{bucket}/backups"}
    )
    cpus, memory = settings.cpus, settings.memory
    given = "backendStoreUri" in place.secret_keys
    server = workloads.server(
        kept,
        runtime,
        cpus=cpus,
        memory=memory,
        has_client_secret="oidcClientSecret" in place.secret_keys,
    )
    scheduler = workloads.scheduler(kept, runtime, cpus=cpus, memory=memory)
    if settings.alert_email:
        told = environment_of(oci_metrics=f"{settings.compartment_id}/{names.base}")
        scheduler = replace(scheduler, environment={**scheduler.environment, **told})
    if not given:
        server, scheduler = _by_vault(server), _by_vault(scheduler)
    on_replicas = settings.compute == "scale"
    crons = schedules(settings) if settings.compute in settings.machines else {}
    own_database = not (given or settings.database_secret_id)
    return OciPlan(
        settings=settings,
        names=names,
        tags=tags(place.stack, settings.tags),
        subnets=_subnets(settings),
        image=plan_image(settings, settings, place, ("mysql", "oci", "postgresql")),
        registry_host=settings.registry_host or f"{settings.region}.ocir.io",
        artifacts_destination=runtime.artifacts_destination,
        backup_destination=environment.backups(kept, runtime.data_dir),
        tracking_uri=runtime.public_url,
        tls_certificate=certificate(settings, place),
        schedules=schedules(settings),
        version=place.version,
        server=server,
        scheduler=scheduler,
        jobs=workloads.jobs(scheduler, crons, on_replicas=on_replicas),
        front=workloads.front(
            proxy.caddyfile(
                settings,
                (address,),
                port=FRONT_PORT,
                upstream=upstream,
                is_probed=True,
            ),
            proxy.SECRET_FILES[settings.tls],
            port=FRONT_PORT,
        ),
        database=_database(kept, runtime, scheduler.memory_limit) if own_database else None,
    )
