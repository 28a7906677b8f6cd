"""A tracking server on this machine: processes under supervisord, data in one directory.

No image is made: the server runs from the virtual environment that runs this program. It
listens on loopback only, so that the network is the one port.
"""

from typing import Any

import pulumi
from pulumi import Output, ResourceOptions

from infra.clouds.local.database import Database, uri_file
from infra.clouds.local.directory import DataDirectory
from infra.clouds.local.identity import make_token, token_file
from infra.clouds.local.network import check_port
from infra.clouds.local.schedule import Scheduler
from infra.clouds.local.server import Server
from infra.clouds.local.supervisor import Supervisor
from infra.outputs import Deployment
from infra.plan import LocalPlan
from infra.settings import Secrets
from runtime.settings import without_password


def _secret_files(plan: LocalPlan, secrets: Secrets) -> dict[str, str]:
    files = {"MLFLOW_TRACKING_TOKEN_FILE": str(token_file(plan.data_dir))}
    if secrets.backend_store_uri:
        files["MLFLOW_BACKEND_STORE_URI_FILE"] = str(uri_file(plan.data_dir))
    return files


def deploy(plan: LocalPlan, secrets: Secrets) -> Deployment:
    """Register the stack's resources.

    Raises StackError where another process holds the port.
    """
    check_port(plan.port, plan.data_dir)
    files = _secret_files(plan, secrets)
    place = {"data_dir": plan.data_dir}
    store: dict[str, Any] = {"environment": {**plan.store_environment, **files}}
    backend_store: pulumi.Input[str] = plan.backend_store
    if secrets.backend_store_uri:
        store["backend_store_uri"] = secrets.backend_store_uri
        backend_store = Output.unsecret(secrets.backend_store_uri.apply(without_password))
    versioned = place | {"version": plan.version, "backend_store": backend_store}

    directory = DataDirectory("data", place | {"keep_data": plan.keep_data})
    inside = ResourceOptions(depends_on=[directory])
    token = make_token(plan.data_dir, inside)
    database = Database("database", place | {"version": plan.version} | store, inside)
    supervisor = Supervisor("supervisor", place, inside)
    ready = ResourceOptions(depends_on=[token, database, supervisor])
    Server(
        "server",
        versioned | {"port": plan.port, "environment": {**plan.server_environment, **files}},
        ready,
    )
    Scheduler(
        "scheduler", versioned | {"environment": {**plan.scheduler_environment, **files}}, ready
    )
    return Deployment(
        tracking_uri=plan.tracking_uri,
        tracking_token=token.value,
        artifacts_destination=plan.artifacts_destination,
        backend_store=backend_store,
        schedules=plan.schedules,
        version=plan.version,
        logs=f"tail -F {plan.data_dir}/logs/*.log",
    )
