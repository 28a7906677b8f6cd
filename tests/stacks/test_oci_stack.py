"""The development stack on a rehearsed OCI: policies, networks, Vault, jobs, a new instance."""

import json
import subprocess
import sys
from collections.abc import Generator

import pytest

from infra.rehearsal.oci.cloud import OciCloud
from infra.rehearsal.oci.compute.containers import ContainerInstance
from infra.rehearsal.oci.emulator import Emulator
from infra.rehearsal.oci.identity import Policy
from infra.rehearsal.oci.observability import Subscription
from infra.rehearsal.provider.values import items
from infra.rehearsal.sandbox import Sandbox, deployed
from infra.rehearsal.system.waiting import wait_for
from tests.stacks.reach import let_in
from tests.stacks.traffic import traffic

pytestmark = pytest.mark.slow

_OVERRIDES = {
    "gcSchedule": "* * * * *",
    "gcTtl": "0d0h0m1s",
    "backupSchedule": "* * * * *",
    "alertEmail": "ops@example.com",
    "database": "postgresql",
    # This machine has two cores for all.
    "workers": 1,
}
_READY_SECONDS = 180


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    with deployed("oci-dev", _OVERRIDES) as made:
        yield made


@pytest.fixture
def oci(sandbox: Sandbox) -> OciCloud:
    return next(cloud for cloud in sandbox.clouds if isinstance(cloud, OciCloud))


def _emulator(oci: OciCloud) -> Emulator:
    assert oci.emulator is not None
    return oci.emulator


def _objects(oci: OciCloud, ending: str = "") -> list[str]:
    """The names in the bucket of artifacts, or in that of another ending."""
    buckets = _emulator(oci).objects.buckets
    return list(buckets[min(buckets, key=len) + ending])


def _answers(sandbox: Sandbox) -> bool:
    return sandbox.run_client("client.search_experiments()").returncode == 0


_UPLOAD = (
    "run = client.create_run('0').info.run_id\n"
    "client.log_text(run, 'hello', 'notes/hello.txt')\n"
    "print(run, mlflow.artifacts.load_text(f'runs:/{run}/notes/hello.txt'))"
)


def test_artifacts_go_to_the_bucket_by_the_instances_own_identity(
    sandbox: Sandbox, oci: OciCloud
) -> None:
    wait_for(lambda: _answers(sandbox), "the server", _READY_SECONDS)
    done = sandbox.run_client(_UPLOAD)
    assert done.returncode == 0, done.stderr
    run, content = done.stdout.split()
    assert content == "hello"
    assert any(name.endswith(f"{run}/artifacts/notes/hello.txt") for name in _objects(oci))


def test_another_network_and_a_wrong_token_are_refused(sandbox: Sandbox) -> None:
    outside = sandbox.run_client("client.search_experiments()", caller="192.0.2.7")
    assert outside.returncode != 0
    assert "502" in outside.stderr
    wrong = sandbox.run_client(
        "import os; os.environ['MLFLOW_TRACKING_TOKEN'] = 'x'; client.search_experiments()"
    )
    assert wrong.returncode != 0
    assert "401" in wrong.stderr or "valid token" in wrong.stderr


def test_the_proxy_alone_is_open_and_to_those_whom_the_stack_file_names(oci: OciCloud) -> None:
    assert let_in(oci, "203.0.113.7") == [443]
    assert let_in(oci, "192.0.2.7") == []


def test_what_guides_do_by_hand_the_stack_has_made(sandbox: Sandbox, oci: OciCloud) -> None:
    """Image, tag, push and login of the instance; the mail of an alert."""
    image = sandbox.engine.outputs()["image"]
    [instance] = oci.store.find(ContainerInstance.token)
    containers = items(instance.props, "containers")
    assert all("@sha256:" in entry["imageUrl"] for entry in containers)
    ours = [entry["environmentVariables"] for entry in containers if entry["imageUrl"] == image]
    assert {environment["OCIFS_IAM_TYPE"] for environment in ours} == {"resource_principal"}
    assert all(entry["DB_SECRET_OCID"].startswith("ocid1.vaultsecret.") for entry in ours)
    [subscription] = oci.store.find(Subscription.token)
    assert subscription.props["protocol"] == "EMAIL"
    assert subscription.props["endpoint"] == _OVERRIDES["alertEmail"]


def test_gc_and_backup_run_on_schedule(sandbox: Sandbox, oci: OciCloud) -> None:
    code = (
        "experiment = client.create_experiment('gone')\n"
        "client.log_text(client.create_run(experiment).info.run_id, 'x', 'gone.txt')\n"
        "client.delete_experiment(experiment)"
    )
    done = sandbox.run_client(code)
    assert done.returncode == 0, done.stderr

    def is_done() -> bool:
        kept = [name for name in _objects(oci) if "gone.txt" in name]
        made = [name for name in _objects(oci, "-backups") if name.endswith("manifest.json")]
        return bool(made) and not kept

    wait_for(is_done, "gc and a backup", 300)

    def told() -> set[tuple[str, float]]:
        return {(dimensions["job"], value) for dimensions, value in _emulator(oci).metrics}

    wait_for(lambda: {("gc", 0.0), ("backup", 0.0)} <= told(), "what Monitoring was told", 120)
    assert told() == {("gc", 0.0), ("backup", 0.0)}


def test_without_its_policy_the_instance_may_do_nothing(sandbox: Sandbox, oci: OciCloud) -> None:
    [instance] = oci.store.find(ContainerInstance.token)
    emulator = _emulator(oci)
    for bucket in emulator.objects.buckets:
        where = {"bucket_name": bucket}
        assert emulator.may(instance.id, "manage", "objects", f"n/rehearsal/b/{bucket}", **where)
    policies = [p for p in oci.store.find(Policy.token) if "lifecycle" not in p.props["name"]]
    for policy in policies:
        oci.store.delete(policy.id)
    try:
        refused = sandbox.run_client(_UPLOAD)
        assert refused.returncode != 0
    finally:
        for policy in policies:
            oci.store.put(policy.id, policy.token, policy.props)
    assert sandbox.run_client(_UPLOAD).returncode == 0


def test_no_secret_is_in_plain_text(sandbox: Sandbox, oci: OciCloud) -> None:
    token = sandbox.engine.outputs()["tracking_token"]
    assert token not in json.dumps(sandbox.engine.export())
    [instance] = oci.store.find(ContainerInstance.token)
    assert token not in json.dumps(instance.props["containers"])
    for entry in items(instance.props, "containers"):
        assert "MLFLOW_BACKEND_STORE_URI" not in entry["environmentVariables"]


def test_a_new_instance_costs_no_request_and_a_second_up_changes_nothing(
    sandbox: Sandbox, oci: OciCloud
) -> None:
    [before] = oci.store.find(ContainerInstance.token)
    address = sandbox.engine.outputs()["tracking_uri"]
    made = sandbox.run_client("client.create_experiment('stays')")
    assert made.returncode == 0, made.stderr
    sandbox.engine.run("config", "set", "trackstack:workers", "2")
    with traffic(sandbox) as answers:
        sandbox.engine.run("up")
    assert set(answers) == {"200"}
    [after] = oci.store.find(ContainerInstance.token)
    assert before.id != after.id
    assert sandbox.engine.outputs()["tracking_uri"] == address
    found = sandbox.run_client("print(client.get_experiment_by_name('stays').name)")
    assert found.stdout.strip() == "stays", found.stderr
    sandbox.engine.run("up", "--expect-no-changes")


def test_what_is_kept_outlives_the_stack_and_the_next_up_goes_on_with_it(
    sandbox: Sandbox, oci: OciCloud
) -> None:
    engine = sandbox.engine
    engine.run("config", "set", "trackstack:keepData", "true")
    engine.run("up")
    objects = set(_objects(oci))
    down = subprocess.run(
        [sys.executable, "-m", "infra.operations.down", engine.stack, "--yes"],
        cwd=engine.project_dir,
        env=engine.environment_of_commands(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert down.returncode == 0, down.stdout + down.stderr
    assert "kept           database" in down.stdout
    assert oci.store.find(ContainerInstance.token) == []
    assert objects <= set(_objects(oci))
    engine.run("config", "set", "trackstack:keepData", "false")
    engine.run("up")
    wait_for(lambda: _answers(sandbox), "the server on its old data", _READY_SECONDS)
    found = sandbox.run_client("print(client.get_experiment_by_name('stays').name)")
    assert found.stdout.strip() == "stays", found.stderr


def test_destroy_leaves_nothing_though_the_bucket_was_full(sandbox: Sandbox, oci: OciCloud) -> None:
    assert _objects(oci)
    sandbox.engine.destroy()
    assert [record.id for record in oci.store.all()] == []
    assert _emulator(oci).objects.buckets == {}
