"""The development stack on a rehearsed OCI: policies, networks, Vault, jobs, a new instance."""

import json
import subprocess
import sys
from collections.abc import Generator

import pytest

from infra.rehearsal.oci.cloud import OciCloud
from infra.rehearsal.oci.compute.containers import ContainerInstance
from infra.rehearsal.oci.emulator import Real
from infra.rehearsal.oci.identity import Policy
from infra.rehearsal.provider.values import items
from infra.rehearsal.sandbox import Stage, raised
from infra.rehearsal.system.waiting import wait_for
from tests.stacks.traffic import asking

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
def stage() -> Generator[Stage]:
    with raised("oci-dev", _OVERRIDES) as made:
        yield made


@pytest.fixture
def oci(stage: Stage) -> OciCloud:
    return next(cloud for cloud in stage.clouds if isinstance(cloud, OciCloud))


def _real(oci: OciCloud) -> Real:
    assert oci.real is not None
    return oci.real


def _objects(oci: OciCloud) -> list[str]:
    [objects] = _real(oci).objects.buckets.values()
    return list(objects)


def _answers(stage: Stage) -> bool:
    return stage.run_client("client.search_experiments()").returncode == 0


_UPLOAD = (
    "run = client.create_run('0').info.run_id\n"
    "client.log_text(run, 'hello', 'notes/hello.txt')\n"
    "print(run, mlflow.artifacts.load_text(f'runs:/{run}/notes/hello.txt'))"
)


def test_artifacts_go_to_the_bucket_by_the_instances_own_identity(
    stage: Stage, oci: OciCloud
) -> None:
    wait_for(lambda: _answers(stage), "the server", _READY_SECONDS)
    done = stage.run_client(_UPLOAD)
    assert done.returncode == 0, done.stderr
    run, content = done.stdout.split()
    assert content == "hello"
    assert any(name.endswith(f"{run}/artifacts/notes/hello.txt") for name in _objects(oci))


def test_another_network_and_a_wrong_token_are_refused(stage: Stage) -> None:
    outside = stage.run_client("client.search_experiments()", caller="192.0.2.7")
    assert outside.returncode != 0
    assert "502" in outside.stderr
    wrong = stage.run_client(
        "import os; os.environ['MLFLOW_TRACKING_TOKEN'] = 'x'; client.search_experiments()"
    )
    assert wrong.returncode != 0
    assert "401" in wrong.stderr or "valid token" in wrong.stderr


def test_gc_and_backup_run_on_schedule(stage: Stage, oci: OciCloud) -> None:
    code = (
        "experiment = client.create_experiment('gone')\n"
        "client.log_text(client.create_run(experiment).info.run_id, 'x', 'gone.txt')\n"
        "client.delete_experiment(experiment)"
    )
    done = stage.run_client(code)
    assert done.returncode == 0, done.stderr

    def is_done() -> bool:
        names = _objects(oci)
        kept = [n for n in names if "gone.txt" in n and not n.startswith("backups/")]
        return not kept and any(name.endswith("manifest.json") for name in names)

    wait_for(is_done, "gc and a backup", 300)

    def told() -> set[tuple[str, float]]:
        return {(dimensions["job"], value) for dimensions, value in _real(oci).metrics}

    wait_for(lambda: {("gc", 0.0), ("backup", 0.0)} <= told(), "what Monitoring was told", 120)
    assert told() == {("gc", 0.0), ("backup", 0.0)}


def test_without_its_policy_the_instance_may_do_nothing(stage: Stage, oci: OciCloud) -> None:
    [instance] = oci.store.find(ContainerInstance.token)
    real = _real(oci)
    [bucket] = real.objects.buckets
    where = {"bucket_name": bucket}
    assert real.may(instance.id, "manage", "objects", f"n/rehearsal/b/{bucket}", **where)
    policies = [p for p in oci.store.find(Policy.token) if "lifecycle" not in p.props["name"]]
    for policy in policies:
        oci.store.delete(policy.id)
    try:
        refused = stage.run_client(_UPLOAD)
        assert refused.returncode != 0
    finally:
        for policy in policies:
            oci.store.put(policy.id, policy.token, policy.props)
    assert stage.run_client(_UPLOAD).returncode == 0


def test_no_secret_is_in_plain_text(stage: Stage, oci: OciCloud) -> None:
    token = stage.engine.outputs()["tracking_token"]
    assert token not in json.dumps(stage.engine.export())
    [instance] = oci.store.find(ContainerInstance.token)
    assert token not in json.dumps(instance.props["containers"])
    for entry in items(instance.props, "containers"):
        assert "MLFLOW_BACKEND_STORE_URI" not in entry["environmentVariables"]


def test_a_new_instance_costs_no_request_and_a_second_up_changes_nothing(
    stage: Stage, oci: OciCloud
) -> None:
    [before] = oci.store.find(ContainerInstance.token)
    address = stage.engine.outputs()["tracking_uri"]
    made = stage.run_client("client.create_experiment('stays')")
    assert made.returncode == 0, made.stderr
    stage.engine.run("config", "set", "trackstack:workers", "2")
    with asking(stage) as answers:
        stage.engine.run("up")
    assert set(answers) == {"200"}
    [after] = oci.store.find(ContainerInstance.token)
    assert before.id != after.id
    assert stage.engine.outputs()["tracking_uri"] == address
    found = stage.run_client("print(client.get_experiment_by_name('stays').name)")
    assert found.stdout.strip() == "stays", found.stderr
    stage.engine.run("up", "--expect-no-changes")


def test_what_is_kept_outlives_the_stack_and_the_next_up_goes_on_with_it(
    stage: Stage, oci: OciCloud
) -> None:
    engine = stage.engine
    engine.run("config", "set", "trackstack:keepData", "true")
    engine.run("up")
    objects = set(_objects(oci))
    down = subprocess.run(
        [sys.executable, "-m", "infra.teardown", engine.stack, "--yes"],
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
    wait_for(lambda: _answers(stage), "the server on its old data", _READY_SECONDS)
    found = stage.run_client("print(client.get_experiment_by_name('stays').name)")
    assert found.stdout.strip() == "stays", found.stderr


def test_destroy_leaves_nothing_though_the_bucket_was_full(stage: Stage, oci: OciCloud) -> None:
    assert _objects(oci)
    stage.engine.run("destroy")
    assert [record.id for record in oci.store.all()] == []
    assert _real(oci).objects.buckets == {}
