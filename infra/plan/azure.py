"""The plan of a server on Azure."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from infra.plan.environment import Runtime
from infra.plan.image import ImagePlan, plan_image
from infra.plan.naming import AZURE, Naming, base_of, tags
from infra.plan.place import Place, certificate
from infra.plan.proxy import reverse_proxy
from infra.plan.workloads import DATA_DIRECTORY, SERVER_PORT, Site, Workloads, make_workloads
from infra.settings.azure import Azure
from runtime.jobs.schedules import schedules

_CONTAINER, _OF_BACKUPS = "artifacts", "backups"
# Container Apps find theirs by the app's own address, which only Azure knows.
_UNKNOWN_URL = ""


@dataclass(frozen=True)
class Names:
    """What is named by the plan, because its name is part of an address or has narrow limits."""

    base: str
    resource_group: str
    registry: str
    storage_account: str
    vault: str
    database_server: str
    dns_label: str
    app: str
    jobs: Mapping[str, str]
    """By job; of those that the platform runs."""


@dataclass(frozen=True)
class Subnets:
    """CIDRs of a virtual network: ``whole``, and the parts of it that the stack uses."""

    whole: str
    compute: str
    database: str
    endpoints: str


@dataclass(frozen=True)
class AzurePlan:
    """What the stack file leaves open, beside what it says (``settings``).

    ``subnets`` is None where there is no network, ``hostname`` where the platform has TLS;
    ``tracking_uri`` is empty then, because only Azure knows it. ``own_database`` is False where the
    backend store is given.
    """

    package: ClassVar[str] = Azure.package

    settings: Azure
    names: Names
    tags: Mapping[str, str]
    subnets: Subnets | None
    image: ImagePlan
    own_database: bool
    artifact_container: str
    backup_container: str
    artifacts_destination: str
    backup_destination: str
    earlier_backups: str | None
    hostname: str | None
    tracking_uri: str
    tls_certificate: str | None
    schedules: Mapping[str, str]
    version: str
    workloads: Workloads

    @property
    def home(self) -> dict[str, str]:
        """Where the stack is for good: keys of the stack file, with what they come to."""
        return {
            "subscriptionId": self.settings.subscription_id,
            "region": self.settings.region,
            "resourceGroup": self.names.resource_group,
            "name": self.names.base,
        }


def _names(settings: Azure, stack: str) -> Names:
    naming = Naming(base_of(settings.name, stack), settings.subscription_id)
    return Names(
        base=naming.base,
        resource_group=settings.resource_group or naming.name(AZURE["resource_group"]),
        registry=naming.name(AZURE["registry"]),
        storage_account=naming.name(AZURE["storage_account"]),
        vault=naming.name(AZURE["vault"]),
        database_server=naming.name(AZURE["database_server"]),
        dns_label=naming.name(AZURE["dns_label"]),
        app=naming.name(AZURE["container_app"]),
        jobs={job: naming.name(AZURE["container_app_job"], job) for job in schedules(settings)},
    )


def _subnets(settings: Azure) -> Subnets | None:
    if not settings.is_networked:
        return None
    parts = list(ipaddress.IPv4Network(settings.network_cidr).subnets(prefixlen_diff=2))
    compute, database, endpoints = (str(part) for part in parts[:3])
    return Subnets(settings.network_cidr, compute, database, endpoints)


def _hostname(settings: Azure, names: Names) -> str | None:
    if settings.compute == "scale":
        return None
    if settings.hostname:
        return settings.hostname
    if settings.private:
        return f"mlflow.{names.base}.internal"
    zone = "cloudapp.azure.com" if settings.compute == "vm" else "azurecontainer.io"
    return f"{names.dns_label}.{settings.region}.{zone}"


def make_plan(settings: Azure, place: Place) -> AzurePlan:
    """Decide everything that the stack file leaves open.

    Raises StackError where a file that it names cannot be used or a secret is missing.
    """
    names = _names(settings, place.stack)
    hostname = _hostname(settings, names)
    url = f"https://{hostname}{settings.path_prefix}" if hostname else _UNKNOWN_URL
    is_scaled = settings.compute == "scale"
    account = f"{names.storage_account}.blob.core.windows.net"
    blobs = f"wasbs://{_CONTAINER}@{account}"
    upstream = f"127.0.0.1:{SERVER_PORT}"
    runtime = Runtime(
        data_dir=DATA_DIRECTORY,
        artifacts_destination=f"{blobs}/artifacts",
        # Not with the artifacts, of which they are: what empties one container leaves the other.
        backup_destination=settings.backup_destination
        or f"wasbs://{_OF_BACKUPS}@{account}/backups",
        earlier_backups=None if settings.backup_destination else f"{blobs}/backups",
        host="0.0.0.0" if is_scaled else "127.0.0.1",  # noqa: S104 - behind the platform's ingress
        port=SERVER_PORT,
        server_uri=url if is_scaled else f"http://{upstream}{settings.path_prefix}",
        public_url=url,
        stack=place.stack,
        heartbeat=bool(settings.alert_email),
    )
    site = Site(
        runtime=runtime,
        cpus=settings.cpus,
        memory=settings.memory,
        jobs="scheduler" if settings.compute == "container" else "platform",
        secret_keys=place.secret_keys,
        proxy=reverse_proxy(settings, (hostname,), upstream=upstream) if hostname else None,
    )
    return AzurePlan(
        settings=settings,
        names=names,
        tags=tags(place.stack, settings.tags),
        subnets=_subnets(settings),
        image=plan_image(settings, settings, place, ("azure", "mysql", "postgresql")),
        own_database="backendStoreUri" not in place.secret_keys,
        artifact_container=_CONTAINER,
        backup_container=_OF_BACKUPS,
        artifacts_destination=runtime.artifacts_destination,
        backup_destination=runtime.backup_destination,
        earlier_backups=runtime.earlier_backups,
        hostname=hostname,
        tracking_uri=url,
        tls_certificate=certificate(settings, place),
        schedules=schedules(settings),
        version=place.version,
        workloads=make_workloads(settings, site),
    )
