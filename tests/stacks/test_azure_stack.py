"""The production stack on a rehearsed Azure: replicas, jobs, roles, networks, an update."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from infra.place import ROOT
from infra.rehearsal.azure import observability
from infra.rehearsal.azure.cloud import AzureCloud
from infra.rehearsal.azure.compute.apps import ContainerApp
from infra.rehearsal.azure.compute.written import tables
from infra.rehearsal.azure.data import blob
from infra.rehearsal.azure.emulator import Emulator
from infra.rehearsal.azure.identity import RoleAssignment
from infra.rehearsal.azure.observability import ActionGroup
from infra.rehearsal.azure.registry import Registry
from infra.rehearsal.provider.values import child, items
from infra.rehearsal.sandbox import Sandbox, deployed
from infra.rehearsal.system.waiting import wait_for
from tests.runtime.serving import request
from tests.stacks.reach import address_of, listening, name_of
from tests.stacks.traffic import traffic

pytestmark = pytest.mark.slow

_OVERRIDES = {
    "gcSchedule": "* * * * *",
    "gcTtl": "0d0h0m1s",
    "pruneSchedule": "* * * * *",
    "backupSchedule": "* * * * *",
    "keepData": False,
    # The small stack is rehearsed on PostgreSQL.
    "database": "mysql",
    "databaseSku": "Standard_D2ads_v5",
    # This machine has two cores for all replicas.
    "cpus": 1,
    "memory": 2,
    "workers": 1,
}


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    with deployed("azure-prod", _OVERRIDES) as made:
        yield made


@pytest.fixture
def azure(sandbox: Sandbox) -> AzureCloud:
    return next(cloud for cloud in sandbox.clouds if isinstance(cloud, AzureCloud))


def _emulator(azure: AzureCloud) -> Emulator:
    assert azure.emulator is not None
    return azure.emulator


def _blobs(azure: AzureCloud, container: str = "artifacts") -> Any:
    """A container, as nobody but a test sees it."""
    [account] = [r for r in azure.store.all() if r.token.endswith("StorageAccount")]
    return blob.client(_emulator(azure), account.props["accountName"]).get_container_client(
        container
    )


def _client(
    sandbox: Sandbox, code: str, caller: str = "", folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run code with the real MLflow client in a process of its own, as ``client``."""
    opening = "import mlflow, sys; client = mlflow.MlflowClient()\n"
    with sandbox.client(caller) as environment:
        return subprocess.run(
            [sys.executable, "-c", opening + code, str(folder)],
            cwd=ROOT,
            env={**os.environ, **environment, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
            capture_output=True,
            text=True,
            timeout=300,
        )


def test_what_a_client_logs_is_in_blob_storage_by_the_identity(
    sandbox: Sandbox, azure: AzureCloud, tmp_path: Path
) -> None:
    code = (
        "run = client.create_run(client.create_experiment('day')).info.run_id\n"
        "client.log_text(run, 'hello', 'notes/hello.txt')\n"
        "path = client.download_artifacts(run, 'notes/hello.txt', sys.argv[1])\n"
        "print(run, open(path).read())"
    )
    done = _client(sandbox, code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    run, content = done.stdout.split()
    assert content == "hello"
    names = [found.name for found in _blobs(azure).list_blobs()]
    assert any(name.endswith(f"{run}/artifacts/notes/hello.txt") for name in names)


def test_a_large_file_goes_past_the_server_in_parts_that_it_signs(
    sandbox: Sandbox, azure: AzureCloud, tmp_path: Path
) -> None:
    megabyte = 1024**2
    (tmp_path / "large.bin").write_bytes(os.urandom(51 * megabyte))
    code = (
        "import os\n"
        f"os.environ['MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE'] = '{5 * megabyte}'\n"
        f"os.environ['MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE'] = '{5 * megabyte}'\n"
        "run = client.create_run('0').info.run_id\n"
        "client.log_artifact(run, sys.argv[1] + '/large.bin')\n"
        "path = client.download_artifacts(run, 'large.bin', sys.argv[1])\n"
        "print(run, os.path.getsize(path))"
    )
    done = _client(sandbox, code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    run, size = done.stdout.split()
    assert int(size) == 51 * megabyte
    [name] = [b.name for b in _blobs(azure).list_blobs() if b.name.endswith("/large.bin")]
    assert run in name
    parts, _ = _blobs(azure).get_blob_client(name).get_block_list("committed")
    # More than nine: Azure takes no parts with names of two lengths.
    assert [part.id for part in parts] == [f"part-{number:05}" for number in range(1, 12)]


def test_another_network_a_wrong_token_and_plain_http_are_refused(sandbox: Sandbox) -> None:
    outside = _client(sandbox, "client.search_experiments()", caller="198.51.100.7")
    assert outside.returncode != 0
    assert "502" in outside.stderr
    wrong = _client(
        sandbox, "import os; os.environ['MLFLOW_TRACKING_TOKEN'] = 'x'; client.search_experiments()"
    )
    assert wrong.returncode != 0
    assert "401" in wrong.stderr or "valid token" in wrong.stderr
    # Azure's ingress has port 80 too, and sends from there to 443.
    assert listening(sandbox, "203.0.113.1") == [80, 443]
    name, address = name_of(sandbox), address_of(sandbox, "203.0.113.1")
    plain = request(f"http://{address}/health", headers={"Host": name})
    assert (plain.status, plain.headers["Location"]) == (301, f"https://{name}/health")


def test_what_guides_do_by_hand_the_stack_has_made(sandbox: Sandbox, azure: AzureCloud) -> None:
    """Registry, login, tag and push; all of it in the subscription; the mail of an alert."""
    image = sandbox.engine.outputs()["image"]
    [registry] = azure.store.find(Registry.token)
    assert registry.props["adminUserEnabled"] is False
    assert image.startswith(f"{registry.props['loginServer']}/trackstack@sha256:")
    [app] = filter(_is_app, azure.store.all())
    assert [c["image"] for c in items(child(app.props, "template"), "containers")] == [image]
    [login] = items(child(app.props, "configuration"), "registries")
    assert login["identity"]
    assert not login.get("passwordSecretRef")
    subscription = sandbox.config["trackstack:subscriptionId"]
    within = f"/subscriptions/{subscription}/resourceGroups/"
    assert [r.id for r in azure.store.all() if not r.id.startswith(within)] == []
    [alerts] = azure.store.find(ActionGroup.token)
    told = [receiver["emailAddress"] for receiver in items(alerts.props, "emailReceivers")]
    assert told == [sandbox.config["trackstack:alertEmail"]]


def test_gc_prune_and_backup_run_on_schedule_as_jobs(sandbox: Sandbox, azure: AzureCloud) -> None:
    code = (
        "experiment = client.create_experiment('gone')\n"
        "client.log_text(client.create_run(experiment).info.run_id, 'x', 'gone.txt')\n"
        "client.delete_experiment(experiment)"
    )
    done = _client(sandbox, code)
    assert done.returncode == 0, done.stderr
    ended = _emulator(azure).executions

    def purged() -> bool:
        code = "print([e.name for e in client.search_experiments(view_type=3)])"
        return "gone" not in _client(sandbox, code).stdout

    # Every minute is often: where one still runs, the next one says so and ends with 75, and three
    # at once beside the replicas are much for two cores.
    wait_for(lambda: len({name for name, code in ended if code == 0}) == 3, "each job", 400)
    wait_for(purged, "gc", 150)
    names = [found.name for found in _blobs(azure).list_blobs()]
    assert not [name for name in names if "gone.txt" in name]
    assert list(_blobs(azure, "backups").list_blobs())


def test_another_identity_or_none_gets_nothing(sandbox: Sandbox, azure: AzureCloud) -> None:
    entra = _emulator(azure).entra
    [account] = [r for r in azure.store.all() if r.token.endswith("StorageAccount")]
    scope = f"{account.id}/blobServices/default/containers/artifacts"
    [assignment] = azure.store.find(RoleAssignment.token, scope=scope)
    principal = assignment.props["principalId"]
    assert entra.may(principal, "Storage Blob Data Contributor", scope)
    assert not entra.may(principal, "Storage Blob Data Contributor", account.id)
    assert not entra.may("somebody-else", "Storage Blob Data Contributor", scope)

    upload = "run = client.create_run('0').info.run_id\nclient.log_text(run, 'hello', 'hello.txt')"
    azure.store.delete(assignment.id)
    try:
        refused = _client(sandbox, upload)
        assert refused.returncode != 0
    finally:
        azure.store.put(assignment.id, assignment.token, assignment.props)
    assert _client(sandbox, upload).returncode == 0


def test_no_secret_is_in_plain_text(sandbox: Sandbox, azure: AzureCloud) -> None:
    token = sandbox.engine.outputs()["tracking_token"]
    assert token not in json.dumps(sandbox.engine.export())
    apps = [r.props for r in azure.store.all() if ":app:" in r.token]
    assert token not in json.dumps(apps)


def test_an_update_costs_no_request_and_a_second_up_changes_nothing(
    sandbox: Sandbox, azure: AzureCloud
) -> None:
    with traffic(sandbox) as answers:
        sandbox.engine.run("config", "set", "trackstack:workers", "2")
        before = [r.props["latestRevisionName"] for r in azure.store.all() if _is_app(r)]
        sandbox.engine.run("up")
        after = [r.props["latestRevisionName"] for r in azure.store.all() if _is_app(r)]
    assert before != after
    assert set(answers) == {"200"}
    sandbox.engine.run("up", "--expect-no-changes")


def _is_app(record: Any) -> bool:
    return record.token.endswith(":ContainerApp")


def test_the_alert_of_a_dead_server_fires_once_it_is_stopped_and_not_before(
    sandbox: Sandbox, azure: AzureCloud
) -> None:
    host = _emulator(azure).host
    rules = azure.store.find("azure-native:monitor:ScheduledQueryRule")
    [rule] = [r.props for r in rules if r.props["ruleName"].endswith("-server-down")]

    def fires(since: float) -> bool:
        return observability.fires(rule, tables(azure.store, host, int(since)))

    window = 15 * 60
    assert not fires(time.time() - window)
    [app] = filter(_is_app, azure.store.all())
    host.stop(*ContainerApp.replicas(app.props))
    stopped = time.time() + 1
    # The jobs still write to the same table.
    wait_for(lambda: any(tables(azure.store, host, int(stopped)).values()), "a job's line", 150)
    assert fires(stopped)


def test_destroy_leaves_nothing(sandbox: Sandbox, azure: AzureCloud) -> None:
    sandbox.engine.destroy()
    assert [record.id for record in azure.store.all()] == []
    assert _emulator(azure).jobs == {}
