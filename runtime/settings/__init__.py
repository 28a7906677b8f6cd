"""Environment -> typed settings: the one place that knows the variable names.

Every variable that carries a secret may be given as ``NAME_FILE`` instead, the path of a file
that holds it (a mounted secret), so that it need not stand in the process's environment.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from runtime import duration
from runtime.errors import UserError
from runtime.settings.uris import secret_with_driver
from runtime.settings.values import (
    Age,
    Days,
    Issuer,
    LogFormat,
    LogLevel,
    Notice,
    OciLogin,
    PathPrefix,
    PruneAction,
    Schedule,
    Words,
)


class RuntimeSettings(BaseModel):
    """All that the runtime reads from its environment; an empty variable counts as unset."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    data_dir: Path = Field(Path(".trackstack/data"), alias="TRACKSTACK_DATA_DIR")
    given_backend_store_uri: SecretStr | None = Field(None, alias="MLFLOW_BACKEND_STORE_URI")
    given_artifacts_destination: str | None = Field(None, alias="MLFLOW_ARTIFACTS_DESTINATION")
    default_artifact_root: str | None = Field(None, alias="MLFLOW_DEFAULT_ARTIFACT_ROOT")
    artifact_locations: Words = Field((), alias="TRACKSTACK_ARTIFACT_LOCATIONS")
    adopt_artifacts: str | None = Field(None, alias="TRACKSTACK_ADOPT_ARTIFACTS")
    serve_artifacts: bool = Field(True, alias="MLFLOW_SERVE_ARTIFACTS")
    given_tracking_uri: str | None = Field(None, alias="MLFLOW_TRACKING_URI")
    registry_uri: str | None = Field(None, alias="MLFLOW_REGISTRY_URI")
    tracking_token: SecretStr | None = Field(None, alias="MLFLOW_TRACKING_TOKEN")
    tracking_certificate: Path | None = Field(None, alias="MLFLOW_TRACKING_SERVER_CERT_PATH")
    target_token: SecretStr | None = Field(None, alias="TRACKSTACK_TARGET_TOKEN")
    target_certificate: Path | None = Field(None, alias="TRACKSTACK_TARGET_SERVER_CERT_PATH")
    secrets_key: SecretStr | None = Field(None, alias="TRACKSTACK_SECRETS_KEY")
    secrets_key_rotation: int = Field(0, ge=0, alias="TRACKSTACK_SECRETS_KEY_ROTATION")
    webhook_key: SecretStr | None = Field(None, alias="MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY")
    gateway_passphrase: SecretStr | None = Field(None, alias="MLFLOW_CRYPTO_KEK_PASSPHRASE")
    host: str = Field("127.0.0.1", alias="MLFLOW_HOST")
    port: int = Field(5000, ge=1, le=65535, alias="MLFLOW_PORT")
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, alias="MLFLOW_WORKERS")
    path_prefix: PathPrefix = Field("", alias="MLFLOW_STATIC_PREFIX")
    gunicorn_opts: str | None = Field(None, alias="MLFLOW_GUNICORN_OPTS")
    log_level: LogLevel | None = Field(None, alias="TRACKSTACK_LOG_LEVEL")
    log_format: LogFormat = Field("text", alias="TRACKSTACK_LOG_FORMAT")
    job_execution: bool = Field(False, alias="MLFLOW_SERVER_ENABLE_JOB_EXECUTION")
    assistant: bool = Field(False, alias="TRACKSTACK_ASSISTANT")
    image: str | None = Field(None, alias="TRACKSTACK_IMAGE")
    stack: str | None = Field(None, alias="TRACKSTACK_STACK")
    supervised: bool = Field(False, alias="TRACKSTACK_SUPERVISED")
    upgrade: bool = Field(False, alias="TRACKSTACK_UPGRADE")
    protect_registry: bool = Field(False, alias="TRACKSTACK_PROTECT_REGISTRY")
    job_token: SecretStr | None = Field(None, alias="TRACKSTACK_JOB_TOKEN")
    runner_token: SecretStr | None = Field(None, alias="TRACKSTACK_RUNNER_TOKEN")
    given_public_url: str | None = Field(
        None, pattern=r"^https?://[^/]+(/.*)?$", alias="TRACKSTACK_PUBLIC_URL"
    )
    oidc_issuer: Issuer | None = Field(None, alias="TRACKSTACK_OIDC_ISSUER")
    oidc_client_id: str | None = Field(None, alias="TRACKSTACK_OIDC_CLIENT_ID")
    oidc_client_secret: SecretStr | None = Field(None, alias="TRACKSTACK_OIDC_CLIENT_SECRET")
    oidc_user_claim: str | None = Field(None, alias="TRACKSTACK_OIDC_USER_CLAIM")
    allowed_groups: Words = Field((), alias="TRACKSTACK_ALLOWED_GROUPS")
    allowed_users: Words = Field((), alias="TRACKSTACK_ALLOWED_USERS")
    admin_groups: Words = Field((), alias="TRACKSTACK_ADMIN_GROUPS")
    read_groups: Words = Field((), alias="TRACKSTACK_READ_GROUPS")
    token_max_days: Days = Field(90, alias="TRACKSTACK_TOKEN_MAX_DAYS")
    token_sign_in_days: Days = Field(7, alias="TRACKSTACK_TOKEN_SIGN_IN_DAYS")
    tls_cert_file: Path | None = Field(None, alias="TRACKSTACK_TLS_CERT_FILE")
    tls_key_file: Path | None = Field(None, alias="TRACKSTACK_TLS_KEY_FILE")
    behind_proxy: bool = Field(False, alias="TRACKSTACK_BEHIND_PROXY")
    forwarded_allow_ips: str | None = Field(None, alias="FORWARDED_ALLOW_IPS")
    audit_log: Path | None = Field(None, alias="TRACKSTACK_AUDIT_LOG")
    audit_reads: bool = Field(False, alias="TRACKSTACK_AUDIT_READS")
    heartbeat: bool = Field(False, alias="TRACKSTACK_HEARTBEAT")
    max_request_bytes: int = Field(64 << 20, ge=0, alias="TRACKSTACK_MAX_REQUEST_BYTES")
    max_artifact_bytes: int = Field(0, ge=0, alias="TRACKSTACK_MAX_ARTIFACT_BYTES")
    search_seconds: float = Field(30, ge=0, alias="TRACKSTACK_SEARCH_SECONDS")
    search_conditions: int = Field(100, ge=0, alias="TRACKSTACK_SEARCH_CONDITIONS")
    allowed_hosts: Words = Field((), alias="MLFLOW_SERVER_ALLOWED_HOSTS")
    allowed_origins: Words = Field((), alias="MLFLOW_SERVER_CORS_ALLOWED_ORIGINS")
    gc_ttl: Age = Field("30d0h0m0s", alias="MLFLOW_TRACKING_GC_TTL")
    entity_ttl_days: Days = Field(30, alias="MLFLOW_TRACKING_ENTITY_TTL")
    gc_schedule: Schedule = Field("*/10 * * * *", alias="TRACKSTACK_GC_SCHEDULE")
    prune_schedule: Schedule = Field("0 0 * * *", alias="TRACKSTACK_PRUNE_SCHEDULE")
    prune_action: PruneAction = Field("report", alias="TRACKSTACK_PRUNE_ACTION")
    prune_notice: Notice = Field("7d", alias="TRACKSTACK_PRUNE_NOTICE")
    prune_registry: bool = Field(False, alias="TRACKSTACK_PRUNE_REGISTRY")
    prune_webhook: SecretStr | None = Field(None, alias="TRACKSTACK_PRUNE_WEBHOOK")
    backup_schedule: Schedule = Field(duration.NEVER, alias="TRACKSTACK_BACKUP_SCHEDULE")
    backup_drill_schedule: Schedule = Field(
        duration.NEVER, alias="TRACKSTACK_BACKUP_DRILL_SCHEDULE"
    )
    backup_destination: str | None = Field(None, alias="TRACKSTACK_BACKUP_DESTINATION")
    earlier_backups: str | None = Field(None, alias="TRACKSTACK_EARLIER_BACKUPS")
    backup_encryption: bool = Field(False, alias="TRACKSTACK_BACKUP_ENCRYPTION")
    backup_key: SecretStr | None = Field(None, alias="TRACKSTACK_BACKUP_KEY")
    earlier_backup_keys: SecretStr | None = Field(None, alias="TRACKSTACK_EARLIER_BACKUP_KEYS")
    backup_keep: int = Field(7, ge=1, alias="TRACKSTACK_BACKUP_KEEP")
    backup_alarm: int = Field(50, ge=0, le=100, alias="TRACKSTACK_BACKUP_ALARM")
    restore_backup: str | None = Field(None, alias="TRACKSTACK_RESTORE_BACKUP")
    database_admin_uri: Annotated[SecretStr | None, AfterValidator(secret_with_driver)] = Field(
        None, alias="TRACKSTACK_DATABASE_ADMIN_URI"
    )
    db_secret_ocid: str | None = Field(None, alias="DB_SECRET_OCID")
    backend_provider: str | None = Field(None, alias="BACKEND_PROVIDER")
    given_oci_login: OciLogin | None = Field(None, alias="OCIFS_IAM_TYPE")
    oci_config_file: str = Field("~/.oci/config", alias="OCI_CONFIG_FILE")
    oci_config_profile: str = Field("DEFAULT", alias="OCI_CONFIG_PROFILE")
    oci_resource_principal: str | None = Field(None, alias="OCI_RESOURCE_PRINCIPAL_VERSION")
    oci_metrics: str | None = Field(
        None, alias="TRACKSTACK_OCI_METRICS", pattern=r"^ocid1\.[^/]+/[^/]+$"
    )

    @property
    def artifacts_destination(self) -> str:
        """Where artifacts are kept; a directory under the data directory unless given."""
        return self.given_artifacts_destination or str(self.data_dir.resolve() / "artifacts")

    @property
    def origins(self) -> tuple[str, ...]:
        """Of whose pages requests with a token are answered; its own where none are given."""
        if self.allowed_origins or not self.given_public_url:
            return self.allowed_origins
        parts = urlsplit(self.given_public_url)
        return (f"{parts.scheme}://{parts.netloc}",)

    @property
    def proxies(self) -> str:
        """Whose X-Forwarded-For counts: addresses, ``*`` for whoever connects, or "" for nobody's.

        Unless given, that of a proxy which alone can connect, or where users come by HTTPS and the
        server has none, of this machine's.
        """
        if self.forwarded_allow_ips is not None or self.behind_proxy:
            return self.forwarded_allow_ips or "*"
        is_elsewhere = (self.given_public_url or "").startswith("https:") and not self.tls_cert_file
        return "127.0.0.1,::1" if is_elsewhere else ""

    @property
    def oci_login(self) -> OciLogin:
        """How to log in to OCI: what the environment offers, unless given."""
        offered = "resource_principal" if self.oci_resource_principal else "api_key"
        return self.given_oci_login or offered

    @property
    def scheme(self) -> str:
        """That of the server itself."""
        return "https" if self.tls_cert_file else "http"

    @property
    def public_url(self) -> str:
        """The address that people and clients use, unless given this machine's own."""
        return self.given_public_url or self.own_uri

    @property
    def tracking_uri(self) -> str:
        """The server's address as this machine reaches it, unless given."""
        return self.given_tracking_uri or self.own_uri

    @property
    def own_uri(self) -> str:
        """The server's address on its own machine."""
        return f"{self.scheme}://127.0.0.1:{self.port}{self.path_prefix}"


_NAMES = frozenset(str(field.alias) for field in RuntimeSettings.model_fields.values())
_SECRET_NAMES = tuple(
    str(field.alias)
    for field in RuntimeSettings.model_fields.values()
    if SecretStr in get_args(field.annotation)
)


def variable(field: str) -> str:
    """The environment variable of a field of RuntimeSettings; KeyError where there is none."""
    return str(RuntimeSettings.model_fields[field].alias)


def field_of(variable: str) -> str | None:
    """The field that a variable sets, also by the file that it names; None for any other's."""
    plain = variable.removesuffix("_FILE")
    name = plain if plain in _SECRET_NAMES else variable
    found = (n for n, field in RuntimeSettings.model_fields.items() if field.alias == name)
    return next(found, None)


def file_variable(field: str) -> str:
    """The variable that names the file of a secret field.

    Raises KeyError where there is no such field, ValueError where it is no secret.
    """
    name = variable(field)
    if name not in _SECRET_NAMES:
        raise ValueError(f"{field} is no secret")
    return f"{name}_FILE"


def default(field: str) -> Any:
    """What a field of RuntimeSettings is where its variable is not set."""
    return RuntimeSettings.model_fields[field].get_default(call_default_factory=True)


def environment_of(**values: object) -> dict[str, str]:
    """The variables that give fields of RuntimeSettings their ``values``; the reverse of ``load``.

    A value that is None or empty is left out: an empty variable counts as unset. Raises KeyError
    where there is no such field.
    """
    texts = {variable(field): _text(value) for field, value in values.items()}
    return {name: text for name, text in texts.items() if text}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        words = [str(word) for word in cast("tuple[object, ...]", value)]
        needs_json = any("," in word or word.startswith("[") for word in words)
        return json.dumps(words) if needs_json else ",".join(words)
    return str(value)


def without_secrets(environment: Mapping[str, str], *kept: str) -> dict[str, str]:
    """``environment`` for a child that needs no secret but those of the fields ``kept``. Pure."""
    hidden = set(_SECRET_NAMES) - {variable(field) for field in kept}
    return {k: v for k, v in environment.items() if k.removesuffix("_FILE") not in hidden}


# In the data directory: the token that a server which was given none has made.
MADE_TOKEN = "server-token"  # noqa: S105 - the name of a file


def secret_file(name: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The mounted file of the secret variable ``name``, where one is given.

    Of the token also the one that a server without any has made in the data directory, for
    commands beside it: one that asks another server is given that one's.
    """
    path = environment.get(f"{name}_FILE")
    if path or name != variable("tracking_token"):
        return Path(path) if path else None
    if environment.get(name) or environment.get(variable("given_tracking_uri")):
        return None
    made = Path(environment.get(variable("data_dir")) or default("data_dir")) / MADE_TOKEN
    return made if os.access(made, os.R_OK) else None


def _from_files(environment: Mapping[str, str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name in _SECRET_NAMES:
        path = secret_file(name, environment)
        if not path:
            continue
        try:
            values[name] = path.read_text().strip()
        except OSError as error:
            raise UserError(f"{name}_FILE: cannot read {path}: {error.strerror}", 2) from None
    return values


def _line(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    shown = "" if name in _SECRET_NAMES else f" (is {problem['input']!r})"
    return f"{name}: {problem['msg'].removeprefix('Value error, ')}{shown}"


def load(environment: Mapping[str, str] = os.environ) -> RuntimeSettings:
    """Read the settings; raises UserError with one line for each variable that is wrong."""
    given = {name: value for name, value in environment.items() if name in _NAMES and value}
    try:
        return RuntimeSettings.model_validate(given | _from_files(environment))
    except ValidationError as error:
        problems = "\n".join(_line(problem) for problem in error.errors(include_url=False))
        raise UserError(problems, 2) from None
