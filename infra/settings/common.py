"""The keys that stacks of several clouds share, each group a class that a cloud's model takes."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from infra.settings.values import BackupName, Digest, Environment, Hostname, HttpsUrl, Line, Lines
from runtime.errors import UserError
from runtime.settings import (
    Age,
    Days,
    LogLevel,
    Notice,
    PruneAction,
    Schedule,
    default,
    field_of,
    load,
)

# What the stack sets beside RuntimeSettings: whose headers count, the managed identity.
_OWNED = frozenset({"AZURE_CLIENT_ID", "CADDYFILE", "FORWARDED_ALLOW_IPS"})


def wrong(key: str, message: str) -> PydanticCustomError:
    """What is wrong with ``key`` in the light of other keys; raise it from a model's validator."""
    return PydanticCustomError("key", "{message}", {"key": key, "message": message})


def _no_plain_http(value: object) -> object:
    if value in ("off", "none", "http", False):
        raise ValueError(
            "plain HTTP is not served, because tokens would cross the network in the clear; "
            "allowed: internal, acme, files"
        )
    return value


class Keys(BaseModel):
    """A group of keys: ``gc_ttl`` here is ``gcTtl`` in the stack file."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True
    )


class Common(Keys):
    """The keys that every stack has."""

    # Those of infra.inputs.Secrets that this kind of stack takes, as keys.
    secret_keys: ClassVar[frozenset[str]] = frozenset({"oidcClientSecret"})
    # The fields of RuntimeSettings that no key sets, so that `environment` may. All others are
    # set by a key, or by the stack itself.
    free_variables: ClassVar[frozenset[str]] = frozenset(
        {
            "allowed_hosts",
            "audit_log",
            "default_artifact_root",
            "gunicorn_opts",
            "max_artifact_bytes",
            "max_request_bytes",
            "oci_config_file",
            "oci_config_profile",
            "tracking_certificate",
        }
    )

    workers: int = Field(2, ge=1, le=64)
    log_level: LogLevel | None = None
    serve_artifacts: bool = default("serve_artifacts")
    job_execution: bool = default("job_execution")
    gc_schedule: Schedule = default("gc_schedule")
    gc_ttl: Age = default("gc_ttl")
    prune_schedule: Schedule = default("prune_schedule")
    prune_action: PruneAction = default("prune_action")
    """What the scheduled prune does with what is stale."""
    prune_notice: Notice = default("prune_notice")
    prune_registry: bool = default("prune_registry")
    """Whether prune deletes registered models and versions, for good."""
    entity_ttl_days: Days = default("entity_ttl_days")
    """None is ``never`` in the stack file."""
    backup_schedule: Schedule = default("backup_schedule")
    backup_destination: Line | None = None
    backup_keep: int = Field(default("backup_keep"), ge=1, le=10000)
    restore_backup: BackupName | None = None
    """What an empty store is filled from before the server starts."""
    keep_data: bool = True
    protect: bool = False
    protect_registry: bool = default("protect_registry")
    audit_reads: bool = default("audit_reads")
    environment: Environment = Field(default_factory=dict[str, str])

    oidc_issuer: HttpsUrl | None = None
    oidc_client_id: Line | None = None
    allowed_groups: Lines = ()
    allowed_users: Lines = ()
    admin_groups: Lines = ()
    read_groups: Lines = ()

    @model_validator(mode="after")
    def _environment(self) -> "Common":
        """Further variables: none that a key or the stack itself sets, and no secret."""
        for name, value in self.environment.items():
            field = field_of(name)
            if field is not None and field not in self.free_variables:
                raise wrong("environment", f"{name} is set by the stack: {self._instead(field)}")
            if field is None and name in _OWNED:
                raise wrong("environment", f"{name} is set by the stack: choose another name")
            try:
                load({name: value})
            except UserError as error:
                raise wrong("environment", str(error)) from None
        return self

    def _instead(self, field: str) -> str:
        key = to_camel(field.removeprefix("given_"))
        if key in self.secret_keys:
            return f"use the secret key {key}"
        known = key in {info.alias for info in type(self).model_fields.values()}
        return f"use the key {key}" if known else "no key changes it"

    @model_validator(mode="after")
    def _sign_in(self) -> "Common":
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            missing = "oidcClientId" if self.oidc_issuer else "oidcIssuer"
            raise wrong(missing, "is missing; oidcIssuer and oidcClientId are set together")
        groups = {
            "allowedGroups": self.allowed_groups,
            "allowedUsers": self.allowed_users,
            "adminGroups": self.admin_groups,
            "readGroups": self.read_groups,
        }
        if self.oidc_issuer is None:
            for key, value in groups.items():
                if value:
                    raise wrong(key, "means nothing without oidcIssuer")
        elif not any(groups.values()):
            raise wrong(
                "allowedGroups",
                "is missing; with oidcIssuer, name who may sign in by allowedGroups, allowedUsers, "
                "adminGroups or readGroups",
            )
        return self


class ImageKeys(Keys):
    """The keys of a stack that runs the runtime image."""

    image: Digest | None = None
    """An image that is there already, by digest: nothing is built or pushed."""
    base_image: Line | None = None
    extra_packages: Lines = ()
    extra_ca_file: Line | None = None

    @model_validator(mode="after")
    def _nothing_to_build(self) -> "ImageKeys":
        if self.image:
            for key in ("base_image", "extra_packages", "extra_ca_file"):
                if getattr(self, key):
                    raise wrong(to_camel(key), "means nothing where image names one that is built")
        return self


class ProxyKeys(Keys):
    """The keys of a stack whose server stands behind a reverse proxy that ends TLS."""

    front_image: Line = "docker.io/library/caddy:2.10.2-alpine"
    hostname: Hostname | None = None
    tls: Annotated[Literal["internal", "acme", "files"], BeforeValidator(_no_plain_http)] = (
        "internal"
    )
    acme_email: Line | None = Field(None, pattern=r"^[^@\s]+@[^@\s]+$")
    acme_directory: HttpsUrl | None = None
    tls_certificate_file: Line | None = None

    @model_validator(mode="after")
    def _certificate(self) -> "ProxyKeys":
        asked: dict[str, tuple[str, Any]] = {
            "acmeEmail": ("acme", self.acme_email),
            "acmeDirectory": ("acme", self.acme_directory),
            "tlsCertificateFile": ("files", self.tls_certificate_file),
        }
        for key, (tls, value) in asked.items():
            if value and self.tls != tls:
                raise wrong(key, f"means nothing without tls: {tls}")
        if self.tls == "files" and not self.tls_certificate_file:
            raise wrong(
                "tlsCertificateFile", "is missing; tls: files needs it and the secret tlsKey"
            )
        if self.tls == "acme" and not self.acme_email:
            raise wrong("acmeEmail", "is missing; certificate authorities write to it")
        return self
