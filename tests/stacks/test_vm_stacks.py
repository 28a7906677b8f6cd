"""Virtual machines on the rehearsed clouds: first boot, schedules, an update in place, a reboot."""

import json
import re
from collections.abc import Generator
from dataclasses import dataclass

import pytest

from infra.rehearsal.azure.cloud import AzureCloud
from infra.rehearsal.azure.compute.machines import NetworkInterface, VirtualMachine
from infra.rehearsal.azure.compute.machines import machine_name as name_on_azure
from infra.rehearsal.azure.identity import RoleAssignment
from infra.rehearsal.host.host import Host
from infra.rehearsal.oci.cloud import OciCloud
from infra.rehearsal.oci.compute.instances import Instance
from infra.rehearsal.oci.compute.instances import machine_name as name_on_oci
from infra.rehearsal.oci.identity import Policy
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.store import Record
from infra.rehearsal.provider.values import child
from infra.rehearsal.sandbox import Sandbox, deployed
from infra.rehearsal.system.waiting import wait_for
from tests.stacks.reach import let_in, listening

pytestmark = pytest.mark.slow

# Of nobody: nobody logs in.
_PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
_OVERRIDES = {
    "compute": "vm",
    "allowedCidrs": ["203.0.113.0/24"],
    "gcSchedule": "* * * * *",
    "gcTtl": "0d0h0m1s",
    "backupSchedule": "* * * * *",
    "sshPublicKey": _PUBLIC_KEY,
    "memory": 4,
    "workers": 1,
}
_READY_SECONDS, _MOST_SECONDS_AWAY = 240, 30
_UNITS = ("agent", "server", "front", "gc", "backup")
_SECURE = 3.0
_SERVER = "trackstack-server.service"


@dataclass(frozen=True)
class Scene:
    """A stack that is up, and its one machine on the host."""

    sandbox: Sandbox
    cloud: Cloud
    host: Host
    machine: Record
    name: str

    def run(self, *command: str) -> str:
        """Run a command on the machine; what it said."""
        code, said = self.host.execute(self.name, command)
        assert code == 0, said
        return said

    def answers(self) -> bool:
        return self.sandbox.run_client("client.search_experiments()").returncode == 0


def _scene(sandbox: Sandbox) -> Scene:
    for cloud in sandbox.clouds:
        if isinstance(cloud, OciCloud) and cloud.emulator:
            [made] = cloud.store.find(Instance.token)
            return Scene(sandbox, cloud, cloud.emulator.host, made, name_on_oci(made.id))
        if isinstance(cloud, AzureCloud) and cloud.emulator:
            [made] = cloud.store.find(VirtualMachine.token)
            [interface] = cloud.store.find(NetworkInterface.token)
            return Scene(sandbox, cloud, cloud.emulator.host, made, name_on_azure(interface.props))
    raise AssertionError("no cloud has machines")


@pytest.fixture(scope="module", params=["azure-dev", "oci-dev"])
def scene(request: pytest.FixtureRequest) -> Generator[Scene]:
    with deployed(request.param, _OVERRIDES) as sandbox:
        yield _scene(sandbox)


def test_the_first_boot_ends_with_a_server_that_keeps_artifacts_by_its_own_identity(
    scene: Scene,
) -> None:
    wait_for(scene.answers, "the server", _READY_SECONDS)
    done = scene.sandbox.run_client(
        "run = client.create_run('0').info.run_id\n"
        "client.log_text(run, 'hello', 'notes/hello.txt')\n"
        "print(mlflow.artifacts.load_text(f'runs:/{run}/notes/hello.txt'))"
    )
    assert done.stdout.strip() == "hello", done.stderr


def test_another_network_and_a_wrong_token_are_refused(scene: Scene) -> None:
    outside = scene.sandbox.run_client("client.search_experiments()", caller="192.0.2.7")
    assert outside.returncode != 0
    assert "502" in outside.stderr
    wrong = "import os; os.environ['MLFLOW_TRACKING_TOKEN'] = 'x'; client.search_experiments()"
    refused = scene.sandbox.run_client(wrong)
    assert "401" in refused.stderr or "valid token" in refused.stderr


def test_it_is_the_machine_that_published_guides_know(scene: Scene) -> None:
    """Its unit's name, its user, its ports, and on OCI its variables."""
    assert scene.run("systemctl", "show", "-p", "Id", "mlflow").strip() == f"Id={_SERVER}"
    assert scene.run("systemctl", "is-enabled", _SERVER).strip() == "enabled"
    scene.run("systemctl", "stop", "mlflow")
    assert scene.host.execute(scene.name, ("systemctl", "is-active", _SERVER))[0]
    for word in ("start", "restart", "status"):
        scene.run("systemctl", word, "--no-pager", "mlflow")
    wait_for(scene.answers, "the server", _READY_SECONDS)
    # As systemd has it for every second name.
    code, said = scene.host.execute(scene.name, ("systemctl", "enable", "mlflow"))
    assert (code, "refusing to operate on" in said.lower()) == (1, True)

    # The proxy has port 80, to which nobody is let.
    assert listening(scene.sandbox, "203.0.113.1") == [80, 443]
    assert let_in(scene.cloud, "203.0.113.1") == [443]
    # A machine of somebody else's in the same network.
    assert let_in(scene.cloud, "10.80.200.1") == []
    logs, props = scene.sandbox.engine.outputs()["logs"], scene.machine.props
    if isinstance(scene.cloud, AzureCloud):
        assert logs.startswith(f"ssh {child(props, 'osProfile')['adminUsername']}@")
        assert "ssh trackstack-admin@" in logs
    else:
        # The user that Ubuntu's own images have.
        # https://docs.oracle.com/iaas/Content/Compute/Tasks/accessinginstance.htm
        assert logs.startswith("ssh ubuntu@")
        assert child(props, "metadata")["ssh_authorized_keys"] == _PUBLIC_KEY
        environment = scene.run("sh", "-c", _ENVIRONMENT)
        assert "OCIFS_IAM_TYPE=instance_principal\n" in environment
        assert "DB_SECRET_OCID=ocid1.vaultsecret." in environment


def test_timers_run_the_jobs_and_the_journal_shows_them(scene: Scene) -> None:
    def ran(job: str) -> bool:
        return f"{job}: done in" in scene.run("journalctl", "-u", f"trackstack-{job}", "--no-pager")

    for job in ("gc", "backup"):
        wait_for(lambda job=job: ran(job), job, 120)
    # By hand, too, which waits for its end.
    scene.run("systemctl", "start", "trackstack-prune")
    assert ran("prune")
    timers = scene.run("systemctl", "list-timers", "--no-pager", "trackstack-*")
    assert all(f"trackstack-{job}.timer" in timers for job in ("gc", "prune", "backup"))


def test_its_units_have_no_more_rights_than_they_need(scene: Scene) -> None:
    for unit in _UNITS:
        said = scene.run("systemd-analyze", "security", "--no-pager", f"trackstack-{unit}.service")
        [exposure] = re.findall(r"exposure level for \S+: ([0-9.]+)", said)
        assert float(exposure) <= _SECURE, said


def test_no_secret_is_in_metadata_files_or_process_list(scene: Scene) -> None:
    token = scene.sandbox.engine.outputs()["tracking_token"]
    kept = json.dumps(scene.machine.props) + json.dumps(scene.sandbox.engine.export())
    assert token not in kept
    everywhere = scene.run(
        "sh",
        "-c",
        "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline; journalctl --no-pager; "
        "cat /etc/trackstack/* /etc/systemd/system/trackstack-*; ls -l /run/trackstack/secrets",
    )
    assert token not in everywhere
    assert "-r-------- 1 root root" in everywhere


def test_another_key_changes_the_machine_in_place_and_a_second_up_changes_nothing(
    scene: Scene,
) -> None:
    engine = scene.sandbox.engine
    made = scene.sandbox.run_client("client.create_experiment('stays')")
    assert made.returncode == 0, made.stderr
    booted = scene.run("cat", "/proc/1/stat").split()[21]
    for key, value in (("workers", "2"), ("logLevel", "debug"), ("logFormat", "json")):
        engine.run("config", "set", f"trackstack:{key}", value)
    engine.run("up")
    env = "MLFLOW_WORKERS=2"
    wait_for(lambda: env in scene.run("sh", "-c", _ENVIRONMENT), "the new setting", 120)
    wait_for(scene.answers, "the server", _MOST_SECONDS_AWAY)
    found = scene.sandbox.run_client("print(client.get_experiment_by_name('stays').name)")
    assert found.stdout.strip() == "stays", found.stderr
    said = scene.run("journalctl", "-u", "trackstack-server", "-o", "cat", "--no-pager")
    assert '"level": "debug"' in said
    assert scene.run("cat", "/proc/1/stat").split()[21] == booted
    [after] = scene.cloud.store.find(scene.machine.token)
    assert after.id == scene.machine.id
    engine.run("up", "--expect-no-changes")


_ENVIRONMENT = (
    "tr '\\0' '\\n' </proc/$(systemctl show -p MainPID --value trackstack-server)/environ || true"
)


def test_a_reboot_brings_it_back_by_itself(scene: Scene) -> None:
    scene.host.restart(scene.name)
    wait_for(scene.answers, "the server after a reboot", _READY_SECONDS)


def test_without_its_rights_it_serves_no_artifact(scene: Scene) -> None:
    kinds = (RoleAssignment.token, Policy.token)
    rights = [record for kind in kinds for record in scene.cloud.store.find(kind)]
    rights = [r for r in rights if "lifecycle" not in str(r.props.get("name"))]
    upload = "client.log_text(client.create_run('0').info.run_id, 'hello', 'notes/hello.txt')"
    assert scene.sandbox.run_client(upload).returncode == 0
    for record in rights:
        scene.cloud.store.delete(record.id)
    try:
        assert scene.sandbox.run_client(upload).returncode != 0
    finally:
        for record in rights:
            scene.cloud.store.put(record.id, record.token, record.props)


def test_destroy_leaves_nothing(scene: Scene) -> None:
    scene.sandbox.engine.destroy()
    assert [record.id for record in scene.cloud.store.all()] == []
    assert scene.host.inspect(scene.name) is None
