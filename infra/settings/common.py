"""The keys that stacks of several clouds share: a class for each group of them."""

from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from infra.settings.values import BackupName, Environment, HttpsUrl, Line, Lines
from runtime.duration import NEVER
from runtime.errors import UserError
from runtime.settings import (
    Age,
    Days,
    LogFormat,
    LogLevel,
    Notice,
    PathPrefix,
    PruneAction,
    Schedule,
    default,
    field_of,
    load,
)
from runtime.settings.values import EVERYBODY

# After midnight's prune, before anybody's morning.
_NIGHTLY = "30 1 * * *"
# Of the clouds' machines.
DEFAULT_PLATFORM = "linux/amd64"
# What the stack sets beside RuntimeSettings: the managed identity, the proxy's configuration.
_OWNED = frozenset({"AZURE_CLIENT_ID", "CADDYFILE"})


def wrong(key: str, message: str) -> PydanticCustomError:
    """What is wrong with ``key`` in the light of other keys; raise it from a model's validator."""
    return PydanticCustomError("key", "{message}", {"key": key, "message": message})


def _as_runtime(field: str, description: str) -> Any:
    """A key whose default is that of the runtime's own field."""
    return Field(default(field), description=description)


class Keys(BaseModel):
    """A group of keys: ``gc_ttl`` here is ``gcTtl`` in the stack file."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True
    )


class Common(Keys):
    """The keys that every stack has."""

    # What the reference calls this kind of stack.
    title: ClassVar[str] = "Every stack"
    # The module or package of this kind of stack in infra.{plan,clouds,policies.checks}.
    package: ClassVar[str]
    # Pulumi's names of the providers that it needs. The SDK of `azure-native` is the package
    # pulumi_azure_native, in the dependency group infra-azure.
    providers: ClassVar[tuple[str, ...]] = ()
    # The computes that run on virtual machines.
    machines: ClassVar[tuple[str, ...]] = ()
    # Those of infra.inputs.Secrets that this kind of stack takes, as keys.
    secret_keys: ClassVar[frozenset[str]] = frozenset(
        {"earlierBackupKeys", "oidcClientSecret", "pruneWebhook"}
    )
    # The fields of RuntimeSettings that no key sets, so that `environment` may. All others are
    # set by a key, or by the stack itself.
    free_variables: ClassVar[frozenset[str]] = frozenset(
        {
            "adopt_artifacts",
            "allowed_hosts",
            "allowed_origins",
            "audit_log",
            "backend_provider",
            "default_artifact_root",
            "gunicorn_opts",
            "max_artifact_bytes",
            "max_request_bytes",
            "oci_config_file",
            "oci_config_profile",
            "registry_uri",
            "search_conditions",
            "search_seconds",
            "tracking_certificate",
        }
    )

    path_prefix: PathPrefix = _as_runtime(
        "path_prefix",
        "The path that the server is reached below, such as `/mlflow`: part of the tracking URI. "
        "No other path is answered.",
    )
    workers: int = Field(2, ge=1, le=64, description="Server processes.")
    log_level: LogLevel | None = Field(
        None, description="The server's log; without it `info`, or what MLFLOW_GUNICORN_OPTS says."
    )
    log_format: LogFormat = _as_runtime(
        "log_format",
        "The server's log: text, or each line a JSON object. The audit log is one either way.",
    )
    serve_artifacts: bool = _as_runtime(
        "serve_artifacts", "Clients read and write artifacts through the server."
    )
    artifact_locations: Lines = Field(
        (),
        examples=[["s3://team-a/mlflow"]],
        description="Where users may have artifacts, and the server opens them, besides the "
        "stack's own destination: directories or artifact URIs. gc deletes files in none of them.",
    )
    job_execution: bool = _as_runtime(
        "job_execution", "MLflow's own background jobs; they take about 2 GB of memory."
    )
    assistant: bool = _as_runtime("assistant", "MLflow's assistant, for administrators.")
    gc_schedule: Schedule = _as_runtime(
        "gc_schedule", "When gc purges what was deleted: five-field cron in UTC, or `never`."
    )
    gc_ttl: Age = _as_runtime(
        "gc_ttl",
        "Age after which deleted entities are purged, as in `mlflow gc --older-than`, or `never`.",
    )
    prune_schedule: Schedule = _as_runtime(
        "prune_schedule", "When prune looks for what is stale: five-field cron in UTC, or `never`."
    )
    prune_action: PruneAction = _as_runtime(
        "prune_action", "What the scheduled prune does with what is stale: counts or deletes it."
    )
    prune_notice: Notice = _as_runtime(
        "prune_notice",
        "How long something stands in every report before the scheduled prune deletes it.",
    )
    prune_registry: bool = _as_runtime(
        "prune_registry", "prune deletes registered models and versions, too, for good."
    )
    entity_ttl_days: Days = _as_runtime(
        "entity_ttl_days",
        "Whole days after which a live, unused entity is stale, or `never`.",
    )
    keep_data: bool = Field(True, description="The data outlive `make down`.")
    backup_schedule: Schedule | None = Field(
        None,
        validate_default=True,
        description="When a backup is made: five-field cron in UTC, or `never`. Without it "
        f"`{_NIGHTLY}`; `{NEVER}` with `keepData: false`.",
    )
    backup_drill_schedule: Schedule = _as_runtime(
        "backup_drill_schedule",
        "When the newest backup is restored into a scratch place and compared: five-field cron in "
        "UTC, or `never`.",
    )
    backup_destination: Line | None = Field(
        None,
        description="Where backups go: a directory, of which a relative one begins in the data "
        "directory, or a URI that MLflow knows. Without it a container or bucket of their own in a "
        "cloud, else `backups` beside the artifacts.",
    )
    backup_encryption: bool = _as_runtime(
        "backup_encryption",
        "Backups are encrypted with a key that the stack makes. Keep it elsewhere, too: without it "
        "nobody restores them.",
    )
    backup_keep: int = Field(
        default("backup_keep"),
        ge=1,
        le=10000,
        description="How many backups of this store are kept; those of the database alone count "
        "apart.",
    )
    backup_alarm: int = Field(
        default("backup_alarm"),
        ge=0,
        le=100,
        description="Percent of an earlier backup's rows or files: a backup that holds less is an "
        "alarm, and stands in for none that holds more; 0: never.",
    )
    restore_backup: BackupName | None = Field(
        None,
        description="The backup, by name, that an empty store is filled from before the server "
        "starts; `make recover` sets it.",
    )
    protect: bool = Field(
        False,
        description="`make down` asks for the stack's name, or `YES=1`, though nothing is lost.",
    )
    protect_registry: bool = _as_runtime(
        "protect_registry",
        "Only admins may delete registered models and versions; prune needs `pruneRegistry`.",
    )
    secrets_key_rotation: int = _as_runtime(
        "secrets_key_rotation",
        "How often the key of the secrets in the store was rotated: `make rotate-key` adds one.",
    )
    audit_reads: bool = _as_runtime("audit_reads", "The audit log has reads, too.")
    environment: Environment = Field(
        default_factory=dict[str, str],
        description="More environment variables of the server and its jobs; one that a key or the "
        "stack sets is refused.",
    )

    oidc_issuer: HttpsUrl | None = Field(
        None,
        examples=["https://login.microsoftonline.com/<tenant>/v2.0"],
        description="Sign-in to the web page by OpenID Connect: the issuer's address.",
    )
    oidc_client_id: Line | None = Field(
        None, description="What the issuer calls this server; goes with `oidcIssuer`."
    )
    allowed_groups: Lines = Field(
        (),
        description="Groups whose members may sign in and write; `*` is everybody whom the issuer "
        "lets in.",
    )
    allowed_users: Lines = Field(
        (),
        description="Users who may sign in and write: by an e-mail address that the issuer has "
        "verified, or by `sub` or `oid`.",
    )
    oidc_user_claim: Line | None = Field(
        None,
        description="Another claim that `allowedUsers` may be named by. Not one that people choose "
        "for themselves, as `preferred_username` is at many issuers.",
    )
    admin_groups: Lines = Field((), description="Groups whose members are admins.")
    read_groups: Lines = Field(
        (), description="Groups whose members may only read; `*` as in `allowedGroups`."
    )
    token_max_days: Days = _as_runtime(
        "token_max_days", "Days that a token of somebody's own is valid at most, or `never`."
    )
    token_sign_in_days: Days = _as_runtime(
        "token_sign_in_days",
        "Days after the issuer last said who somebody is at which their tokens end, or `never`.",
    )

    @field_validator("backup_schedule")
    @classmethod
    def _backed_up(cls, given: str | None, info: ValidationInfo) -> str:
        """Data that are to be kept are backed up, unless the stack file says ``never``."""
        return given or (_NIGHTLY if info.data.get("keep_data") else NEVER)

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
            named = {**groups, "oidcUserClaim": self.oidc_user_claim}
            for key, value in named.items():
                if value:
                    raise wrong(key, "means nothing without oidcIssuer")
        elif EVERYBODY in self.admin_groups:
            told = "would make an admin of everybody whom the issuer lets in: name groups"
            raise wrong("adminGroups", f"{EVERYBODY} {told}")
        elif not any(groups.values()):
            raise wrong(
                "allowedGroups",
                "is missing; with oidcIssuer, name who may sign in by allowedGroups, allowedUsers, "
                "adminGroups or readGroups",
            )
        return self
