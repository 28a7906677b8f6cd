"""Settings -> the environment of the server and its jobs, by the published names. Pure.

The names come from the fields of RuntimeSettings, which reads them. No secret is among them: those
come as files, whose variables are named apart.
"""

from dataclasses import dataclass

from infra.settings.common import Common
from runtime.duration import NEVER
from runtime.jobs.schedules import SCHEDULES
from runtime.settings import default, environment_of, file_variable

SECRETS_KEY = "secrets_key"
# variable -> the secret file that it names
STORE_SECRETS = {file_variable("given_backend_store_uri"): "backend_store_uri"}
SERVER_SECRETS = STORE_SECRETS | {
    file_variable("tracking_token"): "tracking_token",
    file_variable("job_token"): "job_token",
    file_variable("secrets_key"): SECRETS_KEY,
}
JOB_SECRETS = STORE_SECRETS | {file_variable("tracking_token"): "job_token"}
# The secret key of a stack file that a process reads -> as above; only where it is given.
STORE_KEYS = {"earlierBackupKeys": {file_variable("earlier_backup_keys"): "earlier_backup_keys"}}
SERVER_KEYS = STORE_KEYS | {
    "oidcClientSecret": {file_variable("oidc_client_secret"): "oidc_client_secret"}
}
JOB_KEYS = STORE_KEYS | {"pruneWebhook": {file_variable("prune_webhook"): "prune_webhook"}}
# The file of the key that backups are encrypted with.
BACKUP_KEY = "backup_key"


@dataclass(frozen=True)
class Runtime:
    """Where the runtime's processes run and how they reach each other.

    Both addresses of the server are with its path prefix.
    """

    data_dir: str
    artifacts_destination: str
    host: str
    port: int
    backup_destination: str
    server_uri: str
    """As the jobs reach it."""
    public_url: str
    """As users reach it; empty where only the cloud knows."""
    earlier_backups: str | None = None
    """Where an earlier version kept them, if that was elsewhere."""
    stack: str = ""
    """Its name, for people."""
    heartbeat: bool = False
    """Whether somebody counts the server's signs of life in its log."""


def of_backups(settings: Common) -> dict[str, str]:
    """The variable that names the file of the backups' key, where they are encrypted."""
    return {file_variable("backup_key"): BACKUP_KEY} if settings.backup_encryption else {}


def _days(value: int | None) -> str:
    return NEVER if value is None else str(value)


def store(settings: Common, runtime: Runtime) -> dict[str, str]:
    """What every command of the runtime needs to find the stores."""
    return settings.environment | environment_of(
        data_dir=runtime.data_dir,
        given_artifacts_destination=runtime.artifacts_destination,
        given_tracking_uri=runtime.server_uri,
        # For commands that say what to type.
        stack=runtime.stack,
        # For a backup by hand, the one before a migration, and for a restore.
        backup_destination=runtime.backup_destination,
        earlier_backups=runtime.earlier_backups,
        # One by hand or by request deletes no more than a scheduled one.
        backup_encryption=settings.backup_encryption or None,
        backup_keep=settings.backup_keep,
        backup_alarm=settings.backup_alarm,
    )


def server(settings: Common, runtime: Runtime) -> dict[str, str]:
    """The environment of `trackstack server`."""
    return store(settings, runtime) | environment_of(
        host=runtime.host,
        port=runtime.port,
        given_public_url=runtime.public_url,
        path_prefix=settings.path_prefix,
        workers=settings.workers,
        log_level=settings.log_level,
        log_format=settings.log_format,
        serve_artifacts=settings.serve_artifacts,
        artifact_locations=settings.artifact_locations,
        job_execution=settings.job_execution,
        assistant=settings.assistant or None,
        restore_backup=settings.restore_backup,
        # Another number is another environment, with which every platform starts the server again.
        secrets_key_rotation=settings.secrets_key_rotation or None,
        audit_reads=settings.audit_reads or None,
        heartbeat=runtime.heartbeat or None,
        protect_registry=settings.protect_registry or None,
        # Whether the jobs' token may delete what is protected.
        prune_registry=settings.prune_registry or None,
        oidc_issuer=settings.oidc_issuer,
        oidc_client_id=settings.oidc_client_id,
        oidc_user_claim=settings.oidc_user_claim,
        allowed_groups=settings.allowed_groups,
        allowed_users=settings.allowed_users,
        admin_groups=settings.admin_groups,
        read_groups=settings.read_groups,
        token_max_days=_days(settings.token_max_days),
        token_sign_in_days=_days(settings.token_sign_in_days),
    )


def scheduler(settings: Common, runtime: Runtime) -> dict[str, str]:
    """The environment of `trackstack scheduler`, and of each job alone."""
    crons = {field: getattr(settings, field) for field in SCHEDULES.values()}
    # Where unset means never, it is left out: an image of an earlier version, which a stack file
    # names or a promotion goes back to, knows no such word.
    said = {field: cron for field, cron in crons.items() if not cron == default(field) == NEVER}
    return store(settings, runtime) | environment_of(
        **said,
        gc_ttl=settings.gc_ttl,
        prune_action=settings.prune_action,
        prune_notice=settings.prune_notice,
        prune_registry=settings.prune_registry or None,
        # For owners, whom prune tells.
        given_public_url=runtime.public_url,
        entity_ttl_days=_days(settings.entity_ttl_days),
    )


def retention(settings: Common) -> dict[str, str]:
    """What is deleted, and at what age."""
    return {
        "gc_ttl": settings.gc_ttl,
        "prune_action": settings.prune_action,
        "prune_notice": settings.prune_notice,
        "entity_ttl_days": _days(settings.entity_ttl_days),
    }
