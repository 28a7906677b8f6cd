"""A tracking server on this machine: processes under supervisord, data in one directory.

No image is made: the server runs from the virtual environment that runs this program. It
listens on loopback only, so that the network is the one port.
"""

import shlex
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import Output, ResourceOptions

from infra.clouds.local.database import Database
from infra.clouds.local.directory import DataDirectory
from infra.clouds.local.directory import check as check_directory
from infra.clouds.local.identity import SecretFile, make_token, secret_file
from infra.clouds.local.network import check_port
from infra.clouds.local.schedule import Scheduler
from infra.clouds.local.server import Server
from infra.clouds.local.supervisor import Supervisor
from infra.inputs import Secrets
from infra.outputs import Deployment
from infra.plan import LocalPlan
from infra.plan.environment import JOB_SECRETS, SERVER_SECRETS, SIGN_IN_SECRETS, STORE_SECRETS
from runtime.process import trackstack
from runtime.settings import variable, without_password


def _files(plan: LocalPlan, secrets: Secrets) -> dict[str, str]:
    """Secret file -> its path, of those that the stack has."""
    names = ["tracking_token", "job_token"]
    names += ["backend_store_uri"] if secrets.backend_store_uri else []
    names += ["oidc_client_secret"] if secrets.oidc_client_secret else []
    return {name: str(secret_file(plan.data_dir, name)) for name in names}


def _variables(files: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    return {variable: files[name] for variable, name in names.items() if name in files}


def deploy(plan: LocalPlan, secrets: Secrets) -> Deployment:
    """Register the stack's resources.

    Raises StackError where another process holds the port, or the directory others' files.
    """
    check_port(plan.port, plan.data_dir)
    check_directory(plan.data_dir)
    files = _files(plan, secrets)
    place = {"data_dir": plan.data_dir}
    store: dict[str, Any] = {
        "environment": {**plan.store_environment, **_variables(files, STORE_SECRETS)}
    }
    backend_store: pulumi.Input[str] = plan.backend_store
    if secrets.backend_store_uri:
        store["backend_store_uri"] = secrets.backend_store_uri
        backend_store = Output.unsecret(secrets.backend_store_uri.apply(without_password))
    versioned = place | {"version": plan.version, "backend_store": backend_store}

    data = ResourceOptions(protect=plan.protect)
    directory = DataDirectory("data", place | {"keep_data": plan.keep_data}, data)
    inside = ResourceOptions(depends_on=[directory])
    token = make_token("tracking_token", plan.data_dir, inside)
    proofs: list[pulumi.Resource] = [token, make_token("job_token", plan.data_dir, inside)]
    if secrets.oidc_client_secret:
        given = place | {"file": "oidc_client_secret", "value": secrets.oidc_client_secret}
        proofs.append(SecretFile("oidc-client-secret", given, inside))
    database = Database("database", place | {"version": plan.version} | store, inside)
    supervisor = Supervisor("supervisor", place, inside)
    ready = ResourceOptions(depends_on=[*proofs, database, supervisor])
    server = {**plan.server_environment, **_variables(files, SERVER_SECRETS | SIGN_IN_SECRETS)}
    Server("server", versioned | {"port": plan.port, "environment": server}, ready)
    jobs = {**plan.scheduler_environment, **_variables(files, JOB_SECRETS)}
    Scheduler("scheduler", versioned | {"environment": jobs}, ready)
    return Deployment(
        tracking_uri=plan.tracking_uri,
        tracking_token=token.value,
        artifacts_destination=plan.artifacts_destination,
        backup_destination=plan.backup_destination,
        backend_store=backend_store,
        schedules=plan.schedules,
        version=plan.version,
        logs=f"tail -F {plan.data_dir}/logs/*.log",
        command=_command(jobs),
        protected=plan.protect,
    )


def _command(environment: Mapping[str, str]) -> str:
    """`trackstack` with a job's environment, in which secrets are files."""
    variables = [
        f"{name}={value}"
        for name, value in sorted(environment.items())
        if name != variable("supervised")
    ]
    return shlex.join(["env", *variables, trackstack()])
