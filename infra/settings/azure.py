"""The keys of a stack on Azure."""

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
        "proxy, of at most 4 CPUs and 16 GiB; `scale`: Container Apps with replicas, the "
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
        description="The database's size. With `highAvailability` one such as `Standard_D2ds_v5`.",
    )
    private: bool = Field(
        False,
        description="No public address, and private endpoints for what holds data: the server is "
        "reached from its network, or from one that is peered with it.",
    )
    high_availability: bool = Field(
        False,
        description="A standby of the database in another zone, and copies of artifacts in three.",
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
    def _of_azure(self) -> "Azure":
        if self.high_availability and not _is_no_burstable(self.database_sku):
            raise wrong(
                "databaseSku",
                f"{self.database_sku} has no standby; highAvailability needs one such as "
                "Standard_D2ds_v5",
            )
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
        if self.cpus > 4 or self.memory > 16:
            key, most = ("cpus", 4) if self.cpus > 4 else ("memory", 16)
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
    def is_networked(self) -> bool:
        """Whether the stack has a virtual network."""
        return self.private or self.compute != "container"
