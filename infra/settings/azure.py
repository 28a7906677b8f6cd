"""The keys of a stack on Azure."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from infra.settings.cloud import PUBLIC_KEY, CloudKeys
from infra.settings.common import wrong
from infra.settings.values import Line, from_json

_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_NETWORK_ID = r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/"
_ZONE_ID = f"^{_NETWORK_ID}privateDnsZones/[a-z0-9.-]+$"
_ANYWHERE = ("0.0.0.0/0",)
# name, CPUs, GiB; the cheapest first
_VM_SIZES = (
    ("Standard_B2ls_v2", 2, 4),
    ("Standard_B2s_v2", 2, 8),
    ("Standard_D4s_v5", 4, 16),
    ("Standard_D8s_v5", 8, 32),
    ("Standard_D16s_v5", 16, 64),
    ("Standard_D32s_v5", 32, 128),
)
# Of a container group; many regions have less.
# https://learn.microsoft.com/azure/container-instances/container-instances-resource-and-quota-limits
_GROUP_CPUS, _GROUP_GIB = 31, 240
# The sizes of flexible servers, as of November 2026, for each tier one that has a standby:
# https://learn.microsoft.com/azure/mysql/flexible-server/concepts-service-tiers-storage
# https://learn.microsoft.com/azure/postgresql/flexible-server/concepts-compute
_DATABASE_SIZES = {
    "mysql": re.compile(
        "Standard_("
        "B1ms|B2s|B(2|4|8|12|16|20)ms"
        "|D(2|4|8|16|32|48|64)(ads_v5|ds_v4)|D96ds_v5"
        "|E(2|4|8|16|20|32|48|64)(ds_v4|ads_v5|ds_v5)|E80ids_v4|E96(ads|ds)_v5)"
    ),
    "postgresql": re.compile(
        "Standard_("
        "B(1|2|4|8|12|16|20)ms|B2s"
        "|D(2|4|8|16|32|48|64)(s_v3|ds_v4)"
        "|DC?(2|4|8|16|32|48|64|96)(ds_v5|ds_v6|ads_v5|ads_v6|as_v5)"
        "|E(2|4|8|16|20|32|48|64)s_v3|E(2|4|6|8|16|20|32|48|64)ds_v4"
        "|EC?(2|4|8|16|20|32|48|64|96)(ds_v5|ds_v6|ads_v5|as_v5))"
    ),
}
_WITH_STANDBY = {"mysql": "Standard_D2ads_v5", "postgresql": "Standard_D2ds_v5"}
# GiB of a PostgreSQL server's disk; a MySQL server takes any number.
_POSTGRESQL_STORAGE = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
# Of a tag; the stack has two of its own on each resource. Of those of private DNS zones:
# https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations
_TAG_NAME, _TAG_LENGTH, _TAGS = re.compile(r"[^<>%&\\?/]{1,512}"), 256, 48
_ZONE_TAG_NAME, _ZONE_TAGS = re.compile("[A-Za-z_][A-Za-z0-9_.-]{0,511}"), 13


def _is_no_burstable(sku: str) -> bool:
    return not sku.startswith("Standard_B")


def _check_subscription(text: str) -> str:
    if not text.strip("0-"):
        raise ValueError("is the example's; put in yours: az account show --query id")
    return text.lower()


SubscriptionId = Annotated[str, Field(pattern=f"^{_GUID}$"), AfterValidator(_check_subscription)]

ZoneIds = Annotated[tuple[Annotated[str, Field(pattern=_ZONE_ID)], ...], BeforeValidator(from_json)]


class Azure(CloudKeys):
    """Container Instances (`container`), Container Apps (`scale`) or a virtual machine (`vm`)."""

    title: ClassVar[str] = "Azure"
    package: ClassVar[str] = "azure"
    providers: ClassVar[tuple[str, ...]] = ("azure-native", "docker")

    cloud: Literal["azure"] = Field(description="Where the stack runs.")
    compute: Literal["container", "scale", "vm"] = Field(
        "container",
        description="`container`: a Container Instances group of server, scheduler and reverse "
        "proxy, of at most 31 CPUs and 240 GiB; `scale`: Container Apps with replicas, the "
        "platform's TLS, and jobs for gc, prune and backup; `vm`: a virtual machine with systemd "
        "units and timers.",
    )
    subscription_id: SubscriptionId = Field(
        description="The subscription, as `az account show --query id` says it."
    )
    region: Line = Field(
        pattern=r"^[a-z]+[0-9]?$", examples=["westeurope"], description="Azure's region."
    )
    resource_group: Line | None = Field(
        None,
        pattern=r"^[-\w.()]{0,89}[-\w()]$",
        description="An existing resource group; without it the stack makes its own.",
    )
    virtual_network_id: Line | None = Field(
        None,
        pattern=f"^{_NETWORK_ID}virtualNetworks/[^/]+$",
        description="The id of an existing network in which `networkCidr` is free; without it the "
        "stack makes its own.",
    )
    private_dns_zone_ids: ZoneIds = Field(
        (),
        description="The ids of private DNS zones that `virtualNetworkId` is linked to already, "
        "such as your company's `privatelink.blob.core.windows.net`: they are used, and none of "
        "their names is made, because a network takes one zone of a name.",
    )
    image_build: Literal["docker", "acr"] = Field(
        "docker",
        description="Who builds the image: `docker`, the daemon of this machine, or `acr`, a task "
        "of the container registry.",
    )
    database: Literal["postgresql", "mysql"] = Field(
        "postgresql",
        description="Which flexible server holds the backend store, unless the secret "
        "`backendStoreUri` names a database of your own.",
    )
    database_sku: Line = Field(
        "Standard_B1ms",
        pattern=r"^Standard_[A-Z][A-Za-z0-9_]+$",
        description="The database's size. With `highAvailability` one such as `Standard_D2ds_v5`, "
        "with `database: mysql` `Standard_D2ads_v5`.",
    )
    private: bool = Field(
        False,
        description="No public address, and private endpoints for what holds data: the server is "
        "reached from its network, or from one that is peered with it, by whom "
        "`allowedCidrs` names.",
    )
    high_availability: bool = Field(
        False,
        description="A standby of the database in another zone, and copies of artifacts in three.",
    )
    artifacts_redundancy: Literal["LRS", "ZRS"] | None = Field(
        None,
        description="Where the copies of artifacts and backups are: `LRS` in one zone, `ZRS` in "
        "three. Without it as `highAvailability` says. Of a stack that is up Azure changes it by a "
        "migration alone.",
    )
    cpus: float = Field(
        1,
        ge=1,
        le=64,
        description="CPUs of the container group or of one replica; a machine has at least these.",
    )
    memory: float = Field(
        2,
        ge=1,
        le=512,
        description="GiB of the container group or of one replica; a machine has at least these. "
        "With `scale` twice as many as CPUs.",
    )
    ssh_public_key: Line | None = Field(
        None,
        pattern=PUBLIC_KEY,
        examples=["ssh-ed25519 AAAA..."],
        description="With `vm`, where Azure asks for one: the public SSH key that logs in to the "
        "machine.",
    )

    @model_validator(mode="after")
    def _of_databases(self) -> "Azure":
        size, such = self.database_sku, _WITH_STANDBY[self.database]
        if not _DATABASE_SIZES[self.database].fullmatch(size):
            raise wrong(
                "databaseSku",
                f"{size} is no size of a {self.database} flexible server; there are such as "
                f"Standard_B1ms and {such}",
            )
        if self.high_availability and not _is_no_burstable(size):
            raise wrong(
                "databaseSku", f"{size} has no standby; highAvailability needs one such as {such}"
            )
        if self.database == "postgresql" and self.database_storage not in _POSTGRESQL_STORAGE:
            fit = min(s for s in _POSTGRESQL_STORAGE if s >= self.database_storage)
            raise wrong("databaseStorage", f"PostgreSQL's disks double from 32 GiB on: {fit}")
        return self

    @model_validator(mode="after")
    def _of_azure(self) -> "Azure":
        if self.image and self.image_build == "acr":
            raise wrong("imageBuild", "means nothing where image names one that is built")
        if self.virtual_network_id and not self.is_networked:
            raise wrong(
                "virtualNetworkId",
                "means nothing to a public container group, which no network can hold; allowed "
                "with private: true, compute: scale or vm",
            )
        if self.private_dns_zone_ids and not self.virtual_network_id:
            raise wrong("privateDnsZoneIds", "means nothing without virtualNetworkId")
        if self.compute == "vm" and not self.ssh_public_key:
            raise wrong(
                "sshPublicKey",
                "is missing; Azure makes no machine without one, though nobody reaches SSH "
                "without sshCidrs; put in yours: cat ~/.ssh/*.pub",
            )
        if self.compute == "vm" and not self.vm_size:
            *_, (_, cpus, memory) = _VM_SIZES
            raise wrong("cpus", f"a virtual machine has at most {cpus}, and {memory} GiB")
        return self

    @model_validator(mode="after")
    def _of_tags(self) -> "Azure":
        name, most = (_ZONE_TAG_NAME, _ZONE_TAGS) if self.is_networked else (_TAG_NAME, _TAGS)
        if len(self.tags) > most:
            raise wrong("tags", f"a resource of this stack takes at most {most}")
        for tag, value in self.tags.items():
            if not name.fullmatch(tag):
                allowed = (
                    "letters, digits, _ . -, no digit first" if self.is_networked else "no <>%&\\?/"
                )
                raise wrong("tags", f"{tag!r} is no name of a tag; allowed: {allowed}")
            if len(value) > _TAG_LENGTH:
                raise wrong("tags", f"the value of {tag} has at most {_TAG_LENGTH} characters")
        return self

    @model_validator(mode="after")
    def _of_container_instances(self) -> "Azure":
        if self.compute != "container":
            return self
        if not self.private and self.allowed_cidrs != _ANYWHERE:
            raise wrong(
                "allowedCidrs",
                "Container Instances cannot filter who reaches a public address, and do not see "
                "whose request it is; allowed: 0.0.0.0/0 alone (TLS and the token protect it), "
                "private: true, compute: scale or vm",
            )
        for key, given, most in (
            ("cpus", self.cpus, _GROUP_CPUS),
            ("memory", self.memory, _GROUP_GIB),
        ):
            if given > most:
                raise wrong(key, f"a container group has at most {most}")
        return self

    @model_validator(mode="after")
    def _of_container_apps(self) -> "Azure":
        if self.compute != "scale":
            return self
        if self.cpus > 4 or self.memory != 2 * self.cpus:
            raise wrong(
                "memory",
                "Container Apps give 2 GiB a CPU, and at most 4 CPUs; allowed: memory twice cpus",
            )
        if self.cpus * 4 % 1:
            raise wrong("cpus", "Container Apps have CPUs by quarters, such as 1.25")
        for key, given in (("tls", self.tls != "internal"), ("hostname", bool(self.hostname))):
            if given:
                raise wrong(key, "means nothing with compute: scale, where the platform has TLS")
        return self

    @property
    def vm_size(self) -> str:
        """The smallest that has the CPUs and the memory; empty where none has."""
        fit = (n for n, cpus, gib in _VM_SIZES if cpus >= self.cpus and gib >= self.memory)
        return next(fit, "")

    def zone_id(self, ending: str) -> str | None:
        """The one of ``privateDnsZoneIds`` whose name ends so."""
        return next((each for each in self.private_dns_zone_ids if each.endswith(ending)), None)

    @property
    def redundancy(self) -> str:
        """Of the storage account."""
        return self.artifacts_redundancy or ("ZRS" if self.high_availability else "LRS")

    @property
    def is_networked(self) -> bool:
        """Whether the stack has a virtual network."""
        return self.private or self.compute != "container"
