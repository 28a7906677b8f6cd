"""Settings -> the environment of the server and its jobs, by the published names. Pure.

No secret is among them: those come as files, whose variables are named apart.
"""

from dataclasses import dataclass

from infra.settings.common import Common
from runtime.duration import NEVER

# variable -> the secret file that it names
STORE_SECRETS = {"MLFLOW_BACKEND_STORE_URI_FILE": "backend_store_uri"}
SERVER_SECRETS = STORE_SECRETS | {
    "MLFLOW_TRACKING_TOKEN_FILE": "tracking_token",
    "TRACKSTACK_JOB_TOKEN_FILE": "job_token",
}
JOB_SECRETS = STORE_SECRETS | {"MLFLOW_TRACKING_TOKEN_FILE": "job_token"}
SIGN_IN_SECRETS = {"TRACKSTACK_OIDC_CLIENT_SECRET_FILE": "oidc_client_secret"}


@dataclass(frozen=True)
class Runtime:
    """Where the runtime's processes run and how they reach each other."""

    data_dir: str
    artifacts_destination: str
    host: str
    port: int
    server_uri: str
    """As the jobs reach it."""
    public_url: str
    """As users reach it."""


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _days(value: int | None) -> str:
    return NEVER if value is None else str(value)


def _unless_never(value: str) -> str | None:
    return None if value == NEVER else value


def _given(values: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def store(settings: Common, runtime: Runtime) -> dict[str, str]:
    """What every command of the runtime needs to find the stores."""
    return {
        **settings.environment,
        "TRACKSTACK_DATA_DIR": runtime.data_dir,
        "MLFLOW_ARTIFACTS_DESTINATION": runtime.artifacts_destination,
        "MLFLOW_TRACKING_URI": runtime.server_uri,
        # For a backup by hand, the one before a migration, and for a restore.
        "TRACKSTACK_BACKUP_DESTINATION": backups(settings, runtime.data_dir),
    }


def backups(settings: Common, data_dir: str) -> str:
    """Where the stack keeps its backups, as its own processes reach it."""
    return settings.backup_destination or f"{data_dir}/backups"


def _access(settings: Common, runtime: Runtime) -> dict[str, str]:
    return _given(
        {
            "TRACKSTACK_PUBLIC_URL": runtime.public_url,
            "TRACKSTACK_PROTECT_REGISTRY": "true" if settings.protect_registry else None,
            "TRACKSTACK_OIDC_ISSUER": settings.oidc_issuer,
            "TRACKSTACK_OIDC_CLIENT_ID": settings.oidc_client_id,
            "TRACKSTACK_ALLOWED_GROUPS": ",".join(settings.allowed_groups),
            "TRACKSTACK_ALLOWED_USERS": ",".join(settings.allowed_users),
            "TRACKSTACK_ADMIN_GROUPS": ",".join(settings.admin_groups),
            "TRACKSTACK_READ_GROUPS": ",".join(settings.read_groups),
        }
    )


def server(settings: Common, runtime: Runtime) -> dict[str, str]:
    """The environment of `trackstack server`."""
    return {
        **store(settings, runtime),
        **_access(settings, runtime),
        **_given({"TRACKSTACK_RESTORE_BACKUP": settings.restore_backup}),
        "MLFLOW_HOST": runtime.host,
        "MLFLOW_PORT": str(runtime.port),
        "MLFLOW_WORKERS": str(settings.workers),
        "MLFLOW_SERVE_ARTIFACTS": _boolean(settings.serve_artifacts),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": _boolean(settings.job_execution),
    }


def scheduler(settings: Common, runtime: Runtime) -> dict[str, str]:
    """The environment of `trackstack scheduler`, and of each job alone."""
    return {
        **store(settings, runtime),
        # Unset is never, and an older image that a stack file names knows no such word.
        **_given({"TRACKSTACK_BACKUP_SCHEDULE": _unless_never(settings.backup_schedule)}),
        "TRACKSTACK_BACKUP_KEEP": str(settings.backup_keep),
        "TRACKSTACK_GC_SCHEDULE": settings.gc_schedule,
        "TRACKSTACK_PRUNE_SCHEDULE": settings.prune_schedule,
        "TRACKSTACK_PRUNE_ACTION": settings.prune_action,
        "MLFLOW_TRACKING_GC_TTL": settings.gc_ttl,
        "MLFLOW_TRACKING_ENTITY_TTL": _days(settings.entity_ttl_days),
    }


def schedules(settings: Common) -> dict[str, str]:
    """Job -> five-field cron in UTC; one that never runs is not among them."""
    crons = {
        "gc": settings.gc_schedule,
        "prune": settings.prune_schedule,
        "backup": settings.backup_schedule,
    }
    return {job: cron for job, cron in crons.items() if cron != NEVER}


def retention(settings: Common) -> dict[str, str]:
    """What is deleted, and at what age."""
    return {
        "gc_ttl": settings.gc_ttl,
        "prune_action": settings.prune_action,
        "entity_ttl_days": _days(settings.entity_ttl_days),
    }
