"""The keys of a stack on this machine: in processes, or in containers."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from infra.settings.common import Common, ImageKeys, ProxyKeys, wrong
from infra.settings.values import Line
from runtime.settings import default


class Local(Common):
    """The server and its schedules as supervised processes."""

    secret_keys: ClassVar[frozenset[str]] = Common.secret_keys | {"backendStoreUri"}
    free_variables: ClassVar[frozenset[str]] = Common.free_variables | {"given_oci_login"}

    cloud: Literal["local"]
    compute: Literal["process"] = "process"
    port: int = Field(default("port"), ge=1024, le=65535)
    data_dir: Line | None = None
    artifacts_destination: Line | None = None


class LocalContainer(Common, ImageKeys, ProxyKeys):
    """The server, its schedules, a database and a TLS proxy as containers of Docker."""

    secret_keys: ClassVar[frozenset[str]] = Common.secret_keys | {
        "backendStoreUri",
        "registryPassword",
        "tlsKey",
    }
    # The proxy's names are the server's allowed hosts.
    free_variables: ClassVar[frozenset[str]] = (Common.free_variables | {"given_oci_login"}) - {
        "allowed_hosts"
    }

    cloud: Literal["local"]
    compute: Literal["container"]
    port: int = Field(5443, ge=1, le=65535)
    address: Line = Field("127.0.0.1", pattern=r"^\d{1,3}(\.\d{1,3}){3}$")
    """The address of this machine that the proxy listens on; TLS on each."""
    data_dir: Line | None = None
    artifacts_destination: Line | None = None
    database_image: Line = "docker.io/library/postgres:17-alpine"
    registry: Line | None = Field(None, pattern=r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._/-]+)?$")
    registry_user: Line | None = None
    cpus: float = Field(2, ge=0.5, le=256)
    memory: float = Field(2, ge=1, le=1024)
    """GiB, for all containers together but the database's."""

    @model_validator(mode="after")
    def _registry(self) -> "LocalContainer":
        if self.registry_user and not self.registry:
            raise wrong("registryUser", "means nothing without registry")
        return self
