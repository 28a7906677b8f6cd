"""What a stack file says arrives in the runtime: key -> plan -> environment -> RuntimeSettings.

Each key has a telling value, none of them the default, so that a variable which goes to another
field, to another process or nowhere is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from pydantic.alias_generators import to_camel

from infra.plan import Plan, make_plan
from infra.plan.local import LocalPlan
from infra.plan.place import Place
from infra.settings import parse
from infra.settings.azure import Azure
from infra.settings.common import Common
from infra.settings.local import Local, LocalContainer
from infra.settings.oci import Oci
from runtime import settings as runtime_settings
from runtime.duration import NEVER
from runtime.settings import RuntimeSettings
from tests.infra.stack_files import AZURE, OCI, as_given

# Settings -> the runtime's process that must have them, by field; the field's name is the key's.
_OF_SERVER = {
    "workers": 3,
    "log_level": "debug",
    "log_format": "json",
    "serve_artifacts": False,
    "artifact_locations": ["s3://team-a/mlflow", "/srv/other"],
    "job_execution": True,
    "assistant": True,
    "protect_registry": True,
    "secrets_key_rotation": 2,
    "audit_reads": True,
    "path_prefix": "/team/mlflow",
    "restore_backup": "20261121T035500Z-3fa2",
    "oidc_issuer": "https://login.example.com",
    "oidc_client_id": "the-client",
    "oidc_user_claim": "upn",
    "allowed_groups": ["users", "cn=a,ou=b"],
    "allowed_users": ["ada@example.com", "bob"],
    "admin_groups": ["admins"],
    "read_groups": ["readers"],
    "token_max_days": 30,
    "token_sign_in_days": 3,
}
_OF_JOBS = {
    "gc_schedule": "1 * * * *",
    "gc_ttl": "12h",
    "prune_schedule": "2 3 * * *",
    "entity_ttl_days": 77,
    "prune_action": "delete",
    "prune_notice": "3d",
    "backup_schedule": "4 5 * * *",
    "backup_drill_schedule": "6 7 * * 0",
}
# By request, a backup is made by the server's own environment.
_OF_BOTH = {
    "backup_destination": "s3://backups/here",
    "backup_encryption": True,
    "backup_keep": 9,
    "backup_alarm": 80,
    "prune_registry": True,
}
# Keys that decide what is made, and say nothing to the runtime.
_OF_INFRA = {
    *("cloud", "compute", "keep_data", "protect", "environment"),
    *("image", "base_image", "mlflow_version", "extra_packages", "extra_ca_file"),
    *("front_image", "hostname", "tls", "acme_email", "acme_directory", "tls_certificate_file"),
    *("port", "address", "data_dir", "artifacts_destination", "database_image"),
    *("registry", "registry_user", "platform", "cpus", "memory", "name", "region", "tags"),
    *("allowed_cidrs", "private", "network_cidr", "ssh_cidrs", "ssh_public_key"),
    *("min_replicas", "max_replicas", "database", "database_storage", "database_backup_days"),
    *("high_availability", "versioning", "alert_email"),
    *("subscription_id", "resource_group", "virtual_network_id", "image_build", "database_sku"),
    *("private_dns_zone_ids", "artifacts_redundancy"),
    *("tenancy_id", "compartment_id", "availability_domain", "vcn_id", "registry_host"),
    *("compute_shape", "database_shape", "database_secret_id", "vault_id"),
}
_OCID = "ocid1.{}.oc1..aaaa"
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA"
_OCI = {**OCI, "alertEmail": "ops@example.com"}
STACKS: dict[str, dict[str, Any]] = {
    "local": {"cloud": "local", "port": 5055},
    "local-container": {"cloud": "local", "compute": "container", "hostname": "mlflow.example.com"},
    "azure-container": AZURE,
    "azure-scale": {**AZURE, "compute": "scale"},
    "azure-vm": {**AZURE, "compute": "vm", "sshPublicKey": _KEY},
    "oci-container": _OCI,
    "oci-scale": {**_OCI, "compute": "scale"},
    "oci-vm": {**_OCI, "compute": "vm"},
}


@dataclass(frozen=True)
class _Processes:
    """The environments of a plan's server and of each process that runs jobs."""

    server: Mapping[str, str]
    jobs: tuple[Mapping[str, str], ...]


def _processes(plan: Plan) -> _Processes:
    runs = [w for w in plan.workloads.all if w.command[0] == "scheduler"]
    assert runs
    return _Processes(plan.workloads.server.environment, tuple(run.environment for run in runs))


def _plan(keys: Mapping[str, Any]) -> Plan:
    config = {f"trackstack:{key}": value for key, value in keys.items()}
    settings = parse(as_given(config))
    return make_plan(settings, Place("telling", Path("/project"), settings.secret_keys))


def _read(environment: Mapping[str, str]) -> RuntimeSettings:
    """As the process does, which finds its secret files where it runs."""
    return runtime_settings.load({k: v for k, v in environment.items() if not k.endswith("_FILE")})


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {to_camel(field): value for field, value in values.items()}


def _telling(settings: RuntimeSettings, fields: Mapping[str, Any]) -> dict[str, Any]:
    found = {field: getattr(settings, field) for field in fields}
    return {
        f: list(cast("tuple[str, ...]", v)) if isinstance(v, tuple) else v for f, v in found.items()
    }


@pytest.mark.parametrize("stack", STACKS)
def test_every_key_arrives_in_the_process_that_needs_it(stack: str) -> None:
    plan = _plan(STACKS[stack] | _given(_OF_SERVER | _OF_JOBS | _OF_BOTH))
    processes = _processes(plan)
    of_server = _OF_SERVER | _OF_BOTH
    assert _telling(_read(processes.server), of_server) == of_server
    assert {_read(each).stack for each in (processes.server, *processes.jobs)} == {"telling"}
    of_jobs = _OF_JOBS | _OF_BOTH
    for environment in processes.jobs:
        assert _telling(_read(environment), of_jobs) == of_jobs


@pytest.mark.parametrize("stack", STACKS)
def test_what_a_key_leaves_out_is_the_runtime_s_own_default(stack: str) -> None:
    processes = _processes(_plan(STACKS[stack]))
    server, plain = _read(processes.server), runtime_settings.load({})
    for field in _OF_SERVER.keys() - {"workers"}:
        assert getattr(server, field) == getattr(plain, field), field
    # By itself a runtime makes none: where backups would go, only a stack knows.
    for field in _OF_JOBS.keys() - {"backup_schedule"}:
        assert getattr(_read(processes.jobs[0]), field) == getattr(plain, field), field


@pytest.mark.parametrize("stack", STACKS)
def test_data_that_are_kept_are_backed_up_nightly(stack: str) -> None:
    for keys, schedule in (
        ({}, "30 1 * * *"),
        ({"keepData": False}, NEVER),
        ({"backupSchedule": NEVER}, NEVER),
        ({"keepData": False, "backupSchedule": "4 5 * * *"}, "4 5 * * *"),
    ):
        jobs = _processes(_plan(STACKS[stack] | keys)).jobs
        assert {_read(environment).backup_schedule for environment in jobs} == {schedule}
        # An image of an earlier version knows no such word.
        given = {environment.get("TRACKSTACK_BACKUP_SCHEDULE") for environment in jobs}
        assert given == {None if schedule == NEVER else schedule}


@pytest.mark.parametrize("stack", STACKS)
def test_server_and_jobs_are_told_where_they_are(stack: str) -> None:
    plan = _plan(STACKS[stack])
    processes = _processes(plan)
    server, job = _read(processes.server), _read(processes.jobs[0])
    port = 5055 if stack == "local" else 5000
    assert (server.port, server.upgrade or stack == "local") == (port, True)
    assert server.host in ("127.0.0.1", "0.0.0.0")
    assert processes.server[runtime_settings.variable("host")] == server.host
    # Container Apps have an address that only Azure knows: their own part fills it in.
    uri = plan.tracking_uri or None
    assert (server.given_public_url, job.given_public_url) == (uri, uri)
    assert bool(job.given_tracking_uri) == bool(uri)
    for settings in (server, job):
        assert settings.artifacts_destination == plan.artifacts_destination
        assert settings.backup_destination == plan.backup_destination
    assert server.data_dir == job.data_dir
    assert server.data_dir != runtime_settings.load({}).data_dir


@pytest.mark.parametrize("stack", [name for name in STACKS if not name.startswith("local")])
def test_a_cloud_s_backups_are_not_with_the_artifacts_and_those_of_before_are_found(
    stack: str,
) -> None:
    plan = _plan(STACKS[stack])
    assert urlsplit(plan.artifacts_destination)[:2] != urlsplit(plan.backup_destination)[:2]
    # Up to 0.1.0, in the container or bucket of the artifacts.
    before = plan.artifacts_destination.removesuffix("/artifacts") + "/backups"
    processes = _processes(plan)
    for environment in (processes.server, *processes.jobs):
        assert _read(environment).earlier_backups == before
    # Where the stack file names a place, that was it in earlier versions, too.
    given = _processes(_plan({**STACKS[stack], "backupDestination": "s3://backups/here"}))
    assert _read(given.server).earlier_backups is None


@pytest.mark.parametrize("model", [Local, LocalContainer, Azure, Oci])
def test_every_key_is_known_to_go_to_the_runtime_or_not(model: type[Common]) -> None:
    """A new key must be added above, where its arrival is tested."""
    known = _OF_SERVER.keys() | _OF_JOBS.keys() | _OF_BOTH.keys() | _OF_INFRA
    assert model.model_fields.keys() - known == set()


def test_telling_values_are_no_defaults() -> None:
    plain = runtime_settings.load({})
    for field, value in (_OF_SERVER | _OF_JOBS | _OF_BOTH).items():
        assert getattr(plain, field) != value, field


@pytest.mark.parametrize("field", RuntimeSettings.model_fields)
def test_environment_refuses_what_a_key_or_the_stack_sets(field: str) -> None:
    name = runtime_settings.variable(field)
    for stack, keys in STACKS.items():
        model = type(parse(as_given({f"trackstack:{k}": v for k, v in keys.items()})))
        if field in model.free_variables:
            continue
        with pytest.raises(Exception, match=f"{name} is set by the stack"):
            _plan({**keys, "environment": {name: "1"}})
        assert stack


def test_environment_checks_the_value_of_a_variable_that_is_free() -> None:
    with pytest.raises(Exception, match=r"TRACKSTACK_MAX_REQUEST_BYTES: .*greater than"):
        _plan({"cloud": "local", "environment": {"TRACKSTACK_MAX_REQUEST_BYTES": "-1"}})
    plan = _plan({"cloud": "local", "environment": {"TRACKSTACK_MAX_REQUEST_BYTES": "5", "A": "b"}})
    assert isinstance(plan, LocalPlan)
    assert _read(plan.workloads.server.environment).max_request_bytes == 5
    assert plan.workloads.server.environment["A"] == "b"


def test_a_secret_s_file_is_the_stack_s_to_name() -> None:
    with pytest.raises(Exception, match="use the secret key backendStoreUri"):
        _plan({"cloud": "local", "environment": {"MLFLOW_BACKEND_STORE_URI_FILE": "/tmp/uri"}})
