"""The keys of a stack on this machine: in processes, or in containers."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from infra.settings.common import DEFAULT_PLATFORM, Common, wrong
from infra.settings.image import ImageKeys
from infra.settings.proxy import ProxyKeys
from infra.settings.values import Line
from runtime.settings import default

_DATA_DIR = Field(
    None,
    description="The data directory; a relative path begins in the project's folder. Without it "
    "`.trackstack/data/<stack>`.",
)
_ARTIFACTS = Field(
    None,
    description="Where artifacts are kept: a directory, of which a relative one begins in the data "
    "directory, or a URI that MLflow knows. Without it `artifacts` in the data directory.",
)


class Local(Common):
    """The server and its schedules as supervised processes."""

    title: ClassVar[str] = "On this machine, in processes"
    package: ClassVar[str] = "local"
    secret_keys: ClassVar[frozenset[str]] = Common.secret_keys | {"backendStoreUri"}
    free_variables: ClassVar[frozenset[str]] = Common.free_variables | {"given_oci_login"}

    cloud: Literal["local"] = Field(description="Where the stack runs: this machine.")
    compute: Literal["process"] = Field("process", description="Supervised processes.")
    port: int = Field(
        default("port"), ge=1024, le=65535, description="The server's port on 127.0.0.1."
    )
    data_dir: Line | None = _DATA_DIR
    artifacts_destination: Line | None = _ARTIFACTS


class LocalContainer(Common, ImageKeys, ProxyKeys):
    """The server, its schedules, a database and a TLS proxy as containers of Docker."""

    title: ClassVar[str] = "On this machine, in containers"
    package: ClassVar[str] = "docker"
    providers: ClassVar[tuple[str, ...]] = ("docker",)
    secret_keys: ClassVar[frozenset[str]] = Common.secret_keys | {
        "backendStoreUri",
        "registryPassword",
        "tlsKey",
    }
    # The proxy's names are the server's allowed hosts.
    free_variables: ClassVar[frozenset[str]] = (Common.free_variables | {"given_oci_login"}) - {
        "allowed_hosts"
    }

    cloud: Literal["local"] = Field(description="Where the stack runs: this machine.")
    compute: Literal["container"] = Field(
        description="Containers of this machine's Docker daemon, behind TLS."
    )
    port: int = Field(5443, ge=1, le=65535, description="The reverse proxy's port.")
    address: Line = Field(
        "127.0.0.1",
        pattern=r"^\d{1,3}(\.\d{1,3}){3}$",
        description="The address of this machine that the reverse proxy listens on.",
    )
    data_dir: Line | None = _DATA_DIR
    artifacts_destination: Line | None = _ARTIFACTS
    database_image: Line = Field(
        "docker.io/library/postgres:17-alpine", description="PostgreSQL's image."
    )
    registry: Line | None = Field(
        None,
        pattern=r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._/-]+)?$",
        examples=["registry.example.com/team"],
        description="The registry that the image is pushed to and run from, by digest. Without it "
        "the image is not pushed.",
    )
    registry_user: Line | None = Field(
        None, description="The user there; the secret `registryPassword` goes with it."
    )
    platform: Literal["linux/amd64", "linux/arm64"] = Field(
        DEFAULT_PLATFORM,
        description="What the image is built for: the machine of the Docker daemon, and those of "
        "the stacks that run this image too.",
    )
    cpus: float | None = Field(
        None,
        ge=0.5,
        le=256,
        description="CPUs of server, scheduler and reverse proxy together; without it 2, or all of "
        "a smaller machine.",
    )
    memory: float = Field(
        2, ge=1, le=1024, description="GiB of server, scheduler and reverse proxy together."
    )

    @model_validator(mode="after")
    def _registry(self) -> "LocalContainer":
        if self.registry_user and not self.registry:
            raise wrong("registryUser", "means nothing without registry")
        return self
