"""The keys that stacks of every cloud share."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from infra.settings.common import Common, wrong
from infra.settings.image import ImageKeys
from infra.settings.proxy import ProxyKeys
from infra.settings.values import Line, Network, Networks, Tags, from_json
from runtime.cron import calendars
from runtime.duration import NEVER
from runtime.jobs.schedules import SCHEDULES

_NAME = r"^[a-z][a-z0-9-]{1,30}[a-z0-9]$"
PUBLIC_KEY = r"^(ssh-rsa|ssh-ed25519) [A-Za-z0-9+/]+=*( \S+)?$"

Replicas = Annotated[int, Field(ge=1, le=100), BeforeValidator(from_json)]


class CloudKeys(Common, ImageKeys, ProxyKeys):
    """Compute, size, network and access of a server in a cloud.

    ``container`` is one container group, ``scale`` several replicas behind the platform's load
    balancer, ``vm`` a virtual machine.
    """

    secret_keys: ClassVar[frozenset[str]] = Common.secret_keys | {"backendStoreUri", "tlsKey"}
    machines: ClassVar[tuple[str, ...]] = ("vm",)

    compute: Literal["container", "scale", "vm"] = "container"
    name: Line | None = Field(
        None,
        pattern=_NAME,
        description="What the names of all resources begin with; `trackstack-<stack>` without it.",
    )
    region: Line = Field(pattern=r"^[a-z0-9-]+$")
    tags: Tags = Field(default_factory=dict[str, str], description="Tags of every resource.")

    allowed_cidrs: Networks = Field(
        description="Who may reach the server: a list of networks. Everybody is `0.0.0.0/0`."
    )
    private: bool = Field(
        False,
        description="No public address: the server is reached from its network, or from one that "
        "is peered with it, by whom `allowedCidrs` names.",
    )
    network_cidr: Network = Field(
        "10.80.0.0/16",
        description="The addresses of the stack's network, with a prefix of 16 to 24 bits; it is "
        "divided into subnets.",
    )
    ssh_cidrs: Networks = Field(
        (), description="Who may reach the machines' SSH: a list of networks. Nobody without it."
    )
    ssh_public_key: Line | None = Field(
        None,
        pattern=PUBLIC_KEY,
        examples=["ssh-ed25519 AAAA..."],
        description="With `vm`: the public SSH key that logs in to the machine.",
    )

    cpus: float = Field(
        1, ge=1, le=64, description="CPUs of all containers together, of one replica or machine."
    )
    memory: float = Field(
        2, ge=1, le=512, description="GiB of all containers together, of one replica or machine."
    )
    min_replicas: Replicas = Field(1, description="With `scale`: how many replicas run at least.")
    max_replicas: Replicas = Field(3, description="With `scale`: how many run at most, under load.")

    database_storage: int = Field(32, ge=32, le=16384, description="The database's disk, in GiB.")
    database_backup_days: int = Field(
        7, ge=7, le=35, description="For how many days the cloud keeps its backups of the database."
    )
    high_availability: bool = Field(False, description="A standby of the database.")
    versioning: bool = Field(
        False, description="Artifacts that were overwritten or deleted can be had back for 14 days."
    )
    alert_email: Line | None = Field(
        None,
        pattern=r"^[^@\s]+@[^@\s]+$",
        examples=["ops@example.com"],
        description="Who is told by mail that the server is down, a job failed or the database's "
        "disk is nearly full. Nobody without it.",
    )

    @field_validator("allowed_cidrs")
    @classmethod
    def _somebody(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if not given:
            raise ValueError("nobody could reach the server; allowed: a list of IPv4 networks")
        return given

    @field_validator("network_cidr")
    @classmethod
    def _has_room(cls, given: str) -> str:
        if not 16 <= int(given.rpartition("/")[2]) <= 24:
            raise ValueError(f"{given} must have a prefix of 16 to 24 bits: it is split in subnets")
        return given

    @model_validator(mode="after")
    def _of_one_compute(self) -> "CloudKeys":
        given = self.model_fields_set
        for field, key in (("min_replicas", "minReplicas"), ("max_replicas", "maxReplicas")):
            if field in given and self.compute != "scale":
                raise wrong(key, "means nothing without compute: scale")
        if self.min_replicas > self.max_replicas:
            raise wrong("minReplicas", f"is more than maxReplicas ({self.max_replicas})")
        return self

    @model_validator(mode="after")
    def _of_virtual_machines(self) -> "CloudKeys":
        if self.compute not in self.machines:
            for key, value in (("sshCidrs", self.ssh_cidrs), ("sshPublicKey", self.ssh_public_key)):
                if value:
                    raise wrong(key, f"means nothing without compute: {' or '.join(self.machines)}")
            return self
        if self.ssh_cidrs and not self.ssh_public_key:
            raise wrong("sshPublicKey", "is missing; with sshCidrs, put in yours: cat ~/.ssh/*.pub")
        if "front_image" in self.model_fields_set:
            raise wrong(
                "frontImage",
                f"means nothing with compute: {self.compute}, whose proxy is a package",
            )
        for key in SCHEDULES.values():
            if (schedule := getattr(self, key)) != NEVER:
                try:
                    calendars(schedule)
                except ValueError as error:
                    raise wrong(to_camel(key), str(error)) from None
        return self

    @model_validator(mode="after")
    def _reachable_by_authority(self) -> "CloudKeys":
        if self.private and self.tls == "acme":
            raise wrong(
                "tls",
                "acme cannot prove a name without a public address; allowed with "
                "private: internal, files",
            )
        return self
