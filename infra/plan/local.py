"""The plan of a server in processes on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from infra.errors import StackError
from infra.plan import environment
from infra.plan.environment import Runtime
from infra.plan.place import Place
from infra.plan.workloads import Site, Workloads, make_workloads
from infra.settings import Local
from runtime.jobs.schedules import schedules
from runtime.settings import environment_of

# A Unix socket's path has 108 bytes (unix(7)), with the terminating zero; the supervisor binds
# `sock.<pid>` in the data directory and then renames it.
_LONGEST_DATA_DIR = 108 - len("/sock.4194304") - 1


def secrets_directory(data_dir: str) -> str:
    """Where the processes read secrets from."""
    return f"{data_dir}/secrets"


@dataclass(frozen=True)
class LocalPlan:
    """A server on this machine: one data directory, one loopback port, one supervisor.

    ``has_given_store`` says that the stack file names a database instead of ``backend_store``.
    ``store_environment`` is that of a command which works on the store. No environment holds a
    secret.
    """

    package: ClassVar[str] = Local.package

    data_dir: str
    secrets_key_rotation: int
    keep_data: bool
    protect: bool
    port: int
    tracking_uri: str
    artifacts_destination: str
    backup_destination: str
    backend_store: str
    has_given_store: bool
    schedules: Mapping[str, str]
    version: str
    store_environment: Mapping[str, str]
    workloads: Workloads


def _data_dir(settings: Local, place: Place) -> Path:
    path = place.data_directory(settings.data_dir)
    if "%" in str(path):
        raise StackError(
            f"trackstack:dataDir: {str(path)!r} has a %, which supervisord takes for its own; "
            "allowed: a folder without one"
        )
    if len(str(path)) > _LONGEST_DATA_DIR:
        raise StackError(
            f"trackstack:dataDir: {str(path)!r} is {len(str(path))} characters long; "
            f"allowed: at most {_LONGEST_DATA_DIR}, because it holds a Unix socket"
        )
    return path


def make_plan(settings: Local, place: Place) -> LocalPlan:
    """Decide everything that the stack file leaves open.

    Raises StackError where dataDir is too long, or no directory of its own.
    """
    data_dir = _data_dir(settings, place)
    uri = f"http://127.0.0.1:{settings.port}{settings.path_prefix}"
    root = str(data_dir)
    artifacts = place.destination(settings.artifacts_destination, root, "artifacts")
    runtime = Runtime(
        data_dir=str(data_dir),
        artifacts_destination=artifacts,
        backup_destination=place.destination(settings.backup_destination, root, "backups"),
        host="127.0.0.1",
        port=settings.port,
        server_uri=uri,
        public_url=uri,
        stack=place.stack,
    )
    supervised = environment_of(supervised=True)
    site = Site(
        runtime=runtime,
        # As large as this machine: nothing limits its processes.
        cpus=0,
        memory=0,
        jobs="scheduler",
        secret_keys=place.secret_keys,
        store_file="backendStoreUri" in place.secret_keys,
        is_proxied=False,
        secrets_directory=secrets_directory(str(data_dir)),
        for_server=supervised,
        for_jobs=supervised,
    )
    return LocalPlan(
        data_dir=str(data_dir),
        secrets_key_rotation=settings.secrets_key_rotation,
        keep_data=settings.keep_data,
        protect=settings.protect,
        port=settings.port,
        tracking_uri=uri,
        artifacts_destination=artifacts,
        backup_destination=runtime.backup_destination,
        backend_store=f"sqlite:///{data_dir}/store/mydb.sqlite",
        has_given_store="backendStoreUri" in place.secret_keys,
        schedules=schedules(settings),
        version=place.version,
        store_environment=environment.store(settings, runtime)
        | site.secrets(
            site.given(
                environment.STORE_SECRETS | environment.of_backups(settings),
                environment.STORE_KEYS,
            )
        )
        | supervised,
        workloads=make_workloads(settings, site),
    )
