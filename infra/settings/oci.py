"""The keys of a stack on OCI."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from infra.settings.cloud import CloudKeys
from infra.settings.common import wrong
from infra.settings.values import Line

_EXAMPLE = "replace-me"
# MySQL DB systems of these shapes have no standby.
_ALONE = ("MySQL.Free",)
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
SecretId = Annotated[str, _ocid("vaultsecret")]


class Oci(CloudKeys):
    """A Container Instance (`container`), an instance (`vm`) or a pool of them (`scale`), behind a
    network load balancer.
    """

    machines: ClassVar[tuple[str, ...]] = ("vm", "scale")

    cloud: Literal["oci"]
    tenancy_id: TenancyId
    compartment_id: CompartmentId
    region: Line = Field(pattern=r"^[a-z]{2,}-[a-z]+-[0-9]+$")
    availability_domain: int = Field(1, ge=1, le=3)
    vcn_id: VcnId | None = None
    """An existing one, in which networkCidr is free; the stack makes its own without it."""
    registry_host: Line | None = Field(None, pattern=r"^[a-z0-9.-]+(:[0-9]+)?$")
    """Of the container registry, in a realm where it is not <region>.ocir.io."""
    database: Literal["mysql", "postgresql"] = "mysql"
    database_shape: Line | None = Field(None, pattern=r"^[A-Za-z0-9.]+$")
    database_storage: int = Field(50, ge=50, le=131072)
    """GiB, of MySQL; PostgreSQL's grows by itself."""
    database_backup_days: int = Field(7, ge=1, le=35)
    database_secret_id: SecretId | None = None
    """The login of an existing database in Vault, as MySQLDBSecretKeeper writes it."""

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
    def shape(self) -> str:
        """The database's."""
        return self.database_shape or _SHAPES[self.database]
