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
from infra.clouds.local.identity import SecretFile, make_token
from infra.clouds.local.network import check_port
from infra.clouds.local.schedule import Scheduler
from infra.clouds.local.server import Server
from infra.clouds.local.supervisor import Supervisor
from infra.clouds.shared import content
from infra.inputs import Secrets
from infra.outputs import Deployment
from infra.place import ROOT
from infra.plan.environment import BACKUP_KEY, SECRETS_KEY
from infra.plan.local import LocalPlan
from infra.plan.workloads import Workload
from runtime.process import trackstack
from runtime.settings import variable
from runtime.settings.uris import without_password

# What the processes run, as far as it is in the project: they keep what they have loaded.
_CODE = ("requirements.lock", "runtime")


def deploy(plan: LocalPlan, secrets: Secrets) -> Deployment:
    """Register the stack's resources.

    Raises StackError where another process holds the port, or the directory others' files.
    """
    check_port(plan.port, plan.data_dir)
    check_directory(plan.data_dir)
    place = {"data_dir": plan.data_dir}
    store: dict[str, Any] = {"environment": plan.store_environment}
    backend_store: pulumi.Input[str] = plan.backend_store
    if secrets.backend_store_uri:
        store["backend_store_uri"] = secrets.backend_store_uri
        backend_store = Output.unsecret(secrets.backend_store_uri.apply(without_password))
    code = content.digest(ROOT, _CODE)
    versioned = place | {"version": plan.version, "code": code, "backend_store": backend_store}

    kept = place | {"keep_data": plan.keep_data}
    directory = DataDirectory("data", kept, ResourceOptions(protect=True))
    inside = ResourceOptions(depends_on=[directory])
    token = make_token("tracking_token", plan.data_dir, inside)
    rotated = {"rotation": plan.secrets_key_rotation}
    proofs: list[pulumi.Resource] = [
        token,
        make_token("job_token", plan.data_dir, inside),
        make_token(SECRETS_KEY, plan.data_dir, inside, **rotated),
    ]
    key = None
    if BACKUP_KEY in plan.workloads.secret_files:
        key = make_token(BACKUP_KEY, plan.data_dir, inside)
        proofs.append(key)
    for name, value in secrets.of_processes.items():
        given = place | {"file": name, "value": value}
        proofs.append(SecretFile(name.replace("_", "-"), given, inside))
    # A migration of a database that is given is preceded by a backup.
    proved = ResourceOptions(depends_on=[directory, *proofs])
    database = Database("database", place | {"version": plan.version} | store, proved)
    supervisor = Supervisor("supervisor", place, inside)
    ready = ResourceOptions(depends_on=[*proofs, database, supervisor])
    for workload in plan.workloads.of("service"):
        _run(workload, plan, versioned, ready)
    return Deployment(
        tracking_uri=plan.tracking_uri,
        tracking_token=token.value,
        artifacts_destination=plan.artifacts_destination,
        backup_destination=plan.backup_destination,
        backend_store=backend_store,
        schedules=plan.schedules,
        version=plan.version,
        logs=f"tail -F {shlex.quote(plan.data_dir)}/logs/*.log",
        command=_command(plan.workloads.scheduler.environment),
        protected=plan.protect,
        backup_key=secrets.backup_keys(key.value if key else None),
    )


def _run(
    workload: Workload, plan: LocalPlan, versioned: Mapping[str, Any], ready: ResourceOptions
) -> None:
    """A service under the supervisor."""
    inputs = {**versioned, "environment": workload.environment}
    if workload == plan.workloads.server:
        Server(workload.name, inputs | {"port": plan.port}, ready)
    elif workload == plan.workloads.scheduler:
        Scheduler(workload.name, inputs, ready)
    else:
        own = {"program": workload.name, "command": list(workload.command)}
        Scheduler(workload.name, inputs | own, ready)


def _command(environment: Mapping[str, str]) -> str:
    """`trackstack` with a job's environment, in which secrets are files."""
    variables = [
        f"{name}={value}"
        for name, value in sorted(environment.items())
        if name != variable("supervised")
    ]
    return shlex.join(["env", *variables, trackstack()])
