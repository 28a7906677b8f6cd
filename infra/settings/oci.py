"""The keys of a stack on OCI."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from infra.settings.cloud import PUBLIC_KEY, CloudKeys, Replicas
from infra.settings.common import wrong
from infra.settings.values import Line

_EXAMPLE = "replace-me"
# MySQL DB systems of these shapes have no standby.
_ALONE = ("MySQL.Free",)
_COMPUTE_SHAPES = {
    "container": "CI.Standard.E4.Flex",
    "scale": "VM.Standard.E5.Flex",
    "vm": "VM.Standard.E5.Flex",
}
# Of Arm processors, for which no image is built.
_ARM = re.compile(r"\.A[0-9]+\.")
_SHAPES = {"mysql": "MySQL.2", "postgresql": "PostgreSQL.VM.Standard.E4.Flex.2.32GB"}


def _check_ocid(text: str) -> str:
    if text.endswith(_EXAMPLE):
        raise ValueError("is the example's; put in yours: grep ocid ~/.oci/config")
    return text


def _ocid(kind: str) -> object:
    pattern = rf"^ocid1\.{kind}\.oc[0-9]+\.[a-z0-9-]*\.[a-zA-Z0-9._-]+$"
    return Field(pattern=pattern)


CompartmentId = Annotated[str, _ocid("(compartment|tenancy)"), AfterValidator(_check_ocid)]
TenancyId = Annotated[str, _ocid("tenancy"), AfterValidator(_check_ocid)]
VcnId = Annotated[str, _ocid("vcn")]
VaultId = Annotated[str, _ocid("vault")]
SecretId = Annotated[str, _ocid("vaultsecret")]


class Oci(CloudKeys):
    """A Container Instance (`container`), an instance (`vm`) or a pool of them (`scale`), behind a
    network load balancer.
    """

    title: ClassVar[str] = "OCI"
    package: ClassVar[str] = "oci"
    providers: ClassVar[tuple[str, ...]] = ("oci", "docker")
    machines: ClassVar[tuple[str, ...]] = ("vm", "scale")

    cloud: Literal["oci"] = Field(description="Where the stack runs.")
    compute: Literal["container", "scale", "vm"] = Field(
        "container",
        description="`container`: a Container Instance of server, scheduler and reverse proxy; "
        "`scale`: a pool of virtual machines; `vm`: one, with systemd units and timers.",
    )
    tenancy_id: TenancyId = Field(description="The tenancy's OCID; identities are made in it.")
    compartment_id: CompartmentId = Field(
        description="The OCID of a compartment for the stack alone; all else is made in it."
    )
    region: Line = Field(
        pattern=r"^[a-z]{2,}-[a-z]+-[0-9]+$",
        examples=["eu-frankfurt-1"],
        description="OCI's region.",
    )
    availability_domain: int = Field(
        1, ge=1, le=3, description="The number of the availability domain in the region."
    )
    vcn_id: VcnId | None = Field(
        None,
        description="The OCID of an existing VCN in which `networkCidr` is free; without it the "
        "stack makes its own.",
    )
    registry_host: Line | None = Field(
        None,
        pattern=r"^[a-z0-9.-]+(:[0-9]+)?$",
        description="The container registry's host, in a realm where it is not `<region>.ocir.io`.",
    )
    compute_shape: Line | None = Field(
        None,
        pattern=r"^(CI|VM)\.Standard[A-Za-z0-9.]*\.Flex$",
        examples=["VM.Standard.E4.Flex"],
        description="What the server runs on, where the default is not to be had; without it "
        + " or ".join(f"`{shape}`" for shape in dict.fromkeys(_COMPUTE_SHAPES.values()))
        + ".",
    )
    cpus: float = Field(
        1, ge=1, le=64, description="CPUs of the instance, or of one replica: two are one OCPU."
    )
    ssh_public_key: Line | None = Field(
        None,
        pattern=PUBLIC_KEY,
        examples=["ssh-ed25519 AAAA..."],
        description="With `vm` and `scale`: the public SSH key that logs in to the machines.",
    )
    max_replicas: Replicas = Field(
        3, description="With `scale`: how many run at most, while their processors are busy."
    )
    database: Literal["mysql", "postgresql"] = Field(
        "mysql",
        description="`mysql`, or `postgresql` (an OCI Database with PostgreSQL), unless the secret "
        "`backendStoreUri` or `databaseSecretId` names a database of your own.",
    )
    database_shape: Line | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.]+$",
        description="The database's size; without it "
        + " or ".join(f"`{shape}`" for shape in _SHAPES.values())
        + ".",
    )
    database_storage: int = Field(
        50, ge=50, le=131072, description="GiB of MySQL's disk; PostgreSQL's grows by itself."
    )
    database_backup_days: int = Field(
        7, ge=1, le=35, description="For how many days the cloud keeps its backups of the database."
    )
    database_secret_id: SecretId | None = Field(
        None,
        description="The OCID of a secret in Vault with the login of your own database, as "
        'MySQLDBSecretKeeper writes it; for PostgreSQL with `"dialect": "postgresql"`.',
    )

    vault_id: VaultId | None = Field(
        None,
        description="The OCID of an existing vault that keeps the stack's secrets; without it the "
        "stack makes its own, which counts as one of the tenancy's for 30 days after `make down`.",
    )

    @model_validator(mode="after")
    def _of_oci(self) -> "Oci":
        if self.tls != "internal" and not self.hostname:
            raise wrong(
                "hostname", f"is missing; tls: {self.tls} needs a name that leads to the server"
            )
        if self.tls == "acme" and self.compute == "scale":
            raise wrong(
                "tls",
                "acme would have each replica prove the name for itself; allowed with "
                "compute: scale: internal, files",
            )
        if self.cpus > 32 or not 1 <= self.memory / max(self.cpus / 2, 1) <= 64:
            raise wrong(
                "memory",
                "an instance has 1 to 64 GiB for two CPUs (one OCPU); allowed: cpus up "
                "to 32 and memory in that measure",
            )
        return self

    @model_validator(mode="after")
    def _of_shapes(self) -> "Oci":
        usual = _COMPUTE_SHAPES[self.compute]
        if self.machine_shape.partition(".")[0] != usual.partition(".")[0] or _ARM.search(
            self.machine_shape
        ):
            raise wrong(
                "computeShape",
                f"{self.machine_shape} is no shape of compute: {self.compute} with x86 "
                f"processors; allowed: one such as {usual}",
            )
        return self

    @model_validator(mode="after")
    def _of_databases(self) -> "Oci":
        example = _SHAPES[self.database]
        if self.shape.partition(".")[0] != example.partition(".")[0]:
            raise wrong(
                "databaseShape",
                f"{self.shape} is no shape of database: {self.database}; allowed: one such as "
                f"{example}",
            )
        if self.high_availability and self.shape in _ALONE:
            raise wrong(
                "databaseShape",
                f"{self.shape} has no standby; highAvailability needs one such as MySQL.2",
            )
        if self.database == "postgresql" and "database_storage" in self.model_fields_set:
            raise wrong("databaseStorage", "means nothing with PostgreSQL, whose grows by itself")
        return self

    @property
    def machine_shape(self) -> str:
        """What the server runs on."""
        return self.compute_shape or _COMPUTE_SHAPES[self.compute]

    @property
    def shape(self) -> str:
        """The database's."""
        return self.database_shape or _SHAPES[self.database]
