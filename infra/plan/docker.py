"""The plan of a server in containers on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from infra.errors import StackError
from infra.plan.environment import Runtime
from infra.plan.image import ImagePlan, plan_image, store_extras
from infra.plan.place import Place, certificate
from infra.plan.proxy import reverse_proxy
from infra.plan.workloads import DATA_DIRECTORY, SERVER_PORT, Site, Workloads, make_workloads
from infra.settings import LocalContainer
from runtime.jobs.schedules import schedules
from runtime.settings import environment_of
from runtime.settings.values import LOOPBACK

_CPUS = 2


@dataclass(frozen=True)
class DockerPlan:
    """Containers in a network of their own; the proxy's port is the only one published.

    ``name`` begins the name of each container, network and volume. ``secrets_dir`` is the folder
    on this machine where what is generated outlives `pulumi destroy` with the data.
    ``database_image`` is None where the database is given.
    """

    package: ClassVar[str] = LocalContainer.package

    name: str
    secrets_dir: str
    secrets_key_rotation: int
    keep_data: bool
    protect: bool
    image: ImagePlan
    registry: str | None
    registry_user: str | None
    address: str
    port: int
    tracking_uri: str
    hostnames: tuple[str, ...]
    tls: str
    tls_certificate: str | None
    database_image: str | None
    artifacts_destination: str
    backup_destination: str
    schedules: Mapping[str, str]
    version: str
    front_image: str
    workloads: Workloads


def name_of(stack: str) -> str:
    """What the name of each of a stack's containers, networks and volumes begins with. Pure."""
    return f"trackstack-{stack}"


def _hostnames(settings: LocalContainer) -> tuple[str, ...]:
    named = (settings.hostname,) if settings.hostname else ()
    if settings.tls == "acme":
        if not settings.hostname:
            raise StackError("trackstack:hostname: is missing; tls: acme needs a public name")
        return named
    address = () if settings.address == "0.0.0.0" else (settings.address,)  # noqa: S104
    return tuple(dict.fromkeys((*named, *address, *LOOPBACK)))


def _reached_by(settings: LocalContainer) -> str:
    """The name that clients know; an address of this host's is all that is published there."""
    is_everywhere = settings.address in ("0.0.0.0", *LOOPBACK)  # noqa: S104
    return settings.hostname or ("localhost" if is_everywhere else settings.address)


def make_plan(settings: LocalContainer, place: Place) -> DockerPlan:
    """Decide everything that the stack file leaves open.

    Raises StackError where a file that it names cannot be used, a secret is missing, or dataDir is
    no directory of its own.
    """
    if settings.registry_user:
        place.require_secret("registryPassword", "registryUser needs it")
    tls_certificate = certificate(settings, place)
    hostnames = _hostnames(settings)
    host = f"{_reached_by(settings)}:{settings.port}"
    public_url = f"https://{host}{settings.path_prefix}"
    upstream = f"server:{SERVER_PORT}"
    runtime = Runtime(
        data_dir=DATA_DIRECTORY,
        artifacts_destination=place.destination(
            settings.artifacts_destination, DATA_DIRECTORY, "artifacts"
        ),
        backup_destination=place.destination(
            settings.backup_destination, DATA_DIRECTORY, "backups"
        ),
        host="0.0.0.0",  # noqa: S104 - inside a network that only the proxy is in
        port=SERVER_PORT,
        server_uri=f"http://{upstream}{settings.path_prefix}",
        public_url=public_url,
        stack=place.stack,
    )
    site = Site(
        runtime=runtime,
        cpus=settings.cpus or min(_CPUS, place.cpus),
        memory=settings.memory,
        jobs="scheduler",
        secret_keys=place.secret_keys,
        proxy=reverse_proxy(settings, hostnames, upstream=upstream),
        # Several names lead to this machine, and the jobs call the server by the network's name.
        for_server=environment_of(allowed_hosts=("server", *hostnames)),
    )
    stores = store_extras(settings.artifacts_destination, settings.backup_destination)
    return DockerPlan(
        name=name_of(place.stack),
        secrets_dir=str(place.data_directory(settings.data_dir) / "secrets"),
        secrets_key_rotation=settings.secrets_key_rotation,
        keep_data=settings.keep_data,
        protect=settings.protect,
        image=plan_image(
            settings, settings, place, ("mysql", "postgresql", *stores), settings.platform
        ),
        registry=settings.registry,
        registry_user=settings.registry_user,
        address=settings.address,
        port=settings.port,
        tracking_uri=public_url,
        hostnames=hostnames,
        tls=settings.tls,
        tls_certificate=tls_certificate,
        database_image=None if "backendStoreUri" in place.secret_keys else settings.database_image,
        artifacts_destination=runtime.artifacts_destination,
        backup_destination=runtime.backup_destination,
        schedules=schedules(settings),
        version=place.version,
        front_image=settings.front_image,
        workloads=make_workloads(settings, site),
    )
