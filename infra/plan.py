"""Settings -> plan: what exists, where and how large. Pure; knows no pulumi and no machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from infra.errors import StackError
from infra.settings import Local, Settings

# A Unix socket's path has 108 bytes (unix(7)), with the terminating zero; the supervisor binds
# `sock.<pid>` in the data directory and then renames it.
_LONGEST_DATA_DIR = 108 - len("/sock.4194304") - 1


@dataclass(frozen=True)
class Place:
    """Where a stack file stands: the stack's name and the project's root folder."""

    stack: str
    root: Path


@dataclass(frozen=True)
class LocalPlan:
    """A server on this machine: one data directory, one loopback port, one supervisor.

    The environments are those of the supervised processes, by the published variable names;
    secrets are in none of them.
    """

    data_dir: str
    keep_data: bool
    port: int
    tracking_uri: str
    artifacts_destination: str
    backend_store: str
    schedules: Mapping[str, str]
    version: str
    store_environment: Mapping[str, str]
    server_environment: Mapping[str, str]
    scheduler_environment: Mapping[str, str]


Plan = LocalPlan


def deployed_version() -> str:
    """The versions whose change makes a new deployment."""
    return f"trackstack {version('trackstack')}, mlflow {version('mlflow')}"


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _data_dir(settings: Local, place: Place) -> Path:
    path = place.root / Path(settings.data_dir or f".trackstack/data/{place.stack}").expanduser()
    if len(str(path)) > _LONGEST_DATA_DIR:
        raise StackError(
            f"trackstack:dataDir: {str(path)!r} is {len(str(path))} characters long; "
            f"allowed: at most {_LONGEST_DATA_DIR}, because it holds a Unix socket"
        )
    return path


def make_plan(settings: Settings, place: Place) -> Plan:
    """Decide everything that the stack file leaves open.

    Raises StackError where a key cannot be met in this place.
    """
    data_dir = _data_dir(settings, place)
    tracking_uri = f"http://127.0.0.1:{settings.port}"
    artifacts = settings.artifacts_destination or str(data_dir / "artifacts")
    store = {
        **settings.environment,
        "TRACKSTACK_DATA_DIR": str(data_dir),
        "MLFLOW_ARTIFACTS_DESTINATION": artifacts,
        "MLFLOW_TRACKING_URI": tracking_uri,
        "TRACKSTACK_SUPERVISED": "true",
    }
    return LocalPlan(
        data_dir=str(data_dir),
        keep_data=settings.keep_data,
        port=settings.port,
        tracking_uri=tracking_uri,
        artifacts_destination=artifacts,
        backend_store=f"sqlite:///{data_dir}/store/mydb.sqlite",
        schedules={"gc": settings.gc_schedule, "prune": settings.prune_schedule},
        version=deployed_version(),
        store_environment=store,
        server_environment=store
        | {
            "MLFLOW_HOST": "127.0.0.1",
            "MLFLOW_PORT": str(settings.port),
            "MLFLOW_WORKERS": str(settings.workers),
            "MLFLOW_SERVE_ARTIFACTS": _boolean(settings.serve_artifacts),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": _boolean(settings.job_execution),
        },
        scheduler_environment=store
        | {
            "TRACKSTACK_GC_SCHEDULE": settings.gc_schedule,
            "TRACKSTACK_PRUNE_SCHEDULE": settings.prune_schedule,
            "MLFLOW_TRACKING_GC_TTL": settings.gc_ttl,
            "MLFLOW_TRACKING_ENTITY_TTL": str(settings.entity_ttl_days),
        },
    )
