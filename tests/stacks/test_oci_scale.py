"""Replicas on a rehearsed OCI: machines share users and schedules, and updates cost nobody."""

import re
from collections import Counter
from collections.abc import Generator

import pytest

from infra.rehearsal.host.host import Host
from infra.rehearsal.oci.cloud import OciCloud
from infra.rehearsal.oci.compute.api import is_healthy
from infra.rehearsal.oci.compute.instances import Instance, machine_name
from infra.rehearsal.oci.compute.pools import InstancePool
from infra.rehearsal.provider.resource import Call
from infra.rehearsal.provider.store import Record
from infra.rehearsal.sandbox import Sandbox, deployed
from infra.rehearsal.system.waiting import wait_for
from tests.stacks.traffic import traffic

pytestmark = pytest.mark.slow

_OVERRIDES = {
    "compute": "scale",
    "minReplicas": 2,
    "maxReplicas": 3,
    "gcSchedule": "* * * * *",
    "memory": 4,
    # This machine has two cores for all.
    "workers": 1,
}
_RAN, _LEFT = "gc: done in", "gc: another replica runs it"


@pytest.fixture(scope="module")
def sandbox() -> Generator[Sandbox]:
    with deployed("oci-dev", _OVERRIDES) as made:
        yield made


@pytest.fixture
def oci(sandbox: Sandbox) -> OciCloud:
    return next(cloud for cloud in sandbox.clouds if isinstance(cloud, OciCloud))


def _host(oci: OciCloud) -> Host:
    assert oci.emulator is not None
    return oci.emulator.host


def _machines(oci: OciCloud) -> list[Record]:
    return oci.store.find(Instance.token)


def _run(oci: OciCloud, machine: Record, *command: str) -> str:
    code, said = _host(oci).execute(machine_name(machine.id), command)
    assert code == 0, said
    return said


def test_every_replica_serves_and_keeps_artifacts_by_its_own_identity(
    sandbox: Sandbox, oci: OciCloud
) -> None:
    # `up` waited for all of them.
    done = sandbox.run_client(
        "run = client.create_run('0').info.run_id\n"
        "for number in range(4):\n"
        "    client.log_text(run, str(number), f'notes/{number}.txt')\n"
        "    print(mlflow.artifacts.load_text(f'runs:/{run}/notes/{number}.txt'))"
    )
    assert done.stdout.split() == ["0", "1", "2", "3"], done.stderr
    with traffic(sandbox) as answers:
        wait_for(lambda: len(answers) > 20, "answers", 60)
    assert set(answers) == {"200"}
    # They take turns.
    assert [is_healthy(str(machine.props["privateIp"])) for machine in _machines(oci)] == [True] * 2


def test_a_client_elsewhere_and_a_wrong_token_are_refused(sandbox: Sandbox) -> None:
    outside = sandbox.run_client("client.search_experiments()", caller="192.0.2.7")
    assert "502" in outside.stderr
    wrong = "import os; os.environ['MLFLOW_TRACKING_TOKEN'] = 'x'; client.search_experiments()"
    refused = sandbox.run_client(wrong)
    assert "401" in refused.stderr or "valid token" in refused.stderr


def test_a_job_that_is_due_on_all_of_them_runs_on_one(sandbox: Sandbox, oci: OciCloud) -> None:
    def minutes() -> tuple[Counter[str], Counter[str]]:
        """By minute: how often gc ran, and how often it was left to another."""
        ran, left = Counter[str](), Counter[str]()
        for machine in _machines(oci):
            lines = _run(oci, machine, "journalctl", "--no-pager", "-u", "trackstack-gc")
            for line in lines.splitlines():
                found = re.search(r"(\d\d:\d\d):\d\dZ gc: ", line)
                if found and _RAN in line:
                    ran[found[1]] += 1
                elif found and _LEFT in line:
                    left[found[1]] += 1
        return ran, left

    def are_both_known() -> bool:
        ran, left = minutes()
        return len(set(ran) & set(left)) >= 2

    wait_for(are_both_known, "two minutes in which both machines were due", 240)
    ran, left = minutes()
    assert set(ran.values()) == {1}
    assert {left[minute] for minute in set(ran) & set(left)} == {1}


def test_an_update_makes_new_machines_costs_no_request_and_a_second_up_changes_nothing(
    sandbox: Sandbox, oci: OciCloud
) -> None:
    before = {machine.id for machine in _machines(oci)}
    made = sandbox.run_client("client.create_experiment('stays')")
    assert made.returncode == 0, made.stderr
    sandbox.engine.run("config", "set", "trackstack:workers", "2")
    with traffic(sandbox) as answers:
        sandbox.engine.run("up")
    assert set(answers) == {"200"}
    after = {machine.id for machine in _machines(oci)}
    assert len(after) == 2
    assert not after & before
    found = sandbox.run_client("print(client.get_experiment_by_name('stays').name)")
    assert found.stdout.strip() == "stays", found.stderr
    sandbox.engine.run("up", "--expect-no-changes")


def test_more_replicas_join_those_that_are_there(sandbox: Sandbox, oci: OciCloud) -> None:
    before = {machine.id for machine in _machines(oci)}
    [pool] = oci.store.find(InstancePool.token)
    # As autoscaling does, beside the engine.
    grown = {**pool.props, "size": 3}
    oci.store.put(pool.id, pool.token, grown)
    InstancePool(Call(oci, {})).grow(pool.id, grown)
    [joined] = [machine for machine in _machines(oci) if machine.id not in before]
    wait_for(lambda: is_healthy(str(joined.props["privateIp"])), "the third machine", 240)
    sandbox.engine.run("refresh")
    sandbox.engine.run("up", "--expect-no-changes")
    assert joined.id in {machine.id for machine in _machines(oci)}


def test_destroy_leaves_nothing(sandbox: Sandbox, oci: OciCloud) -> None:
    machines = _machines(oci)
    sandbox.engine.destroy()
    assert [record.id for record in oci.store.all()] == []
    assert [m.id for m in machines if _host(oci).inspect(machine_name(m.id))] == []
