"""A new workload is one entry, and a new job one too: every cloud renders them by what they are.

A sidecar, an init and a job that nobody has heard of, with names too long for most clouds.
"""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from infra.plan import naming, workloads
from infra.plan.workloads import Probe, Site, Workload
from infra.settings.common import Common
from runtime.jobs import schedules as jobs
from tests.infra.plan.test_naming import is_a_label
from tests.infra.recording import deploy_azure, deploy_here, deploy_oci

_JOB = "archive-traces-of-old-experiments"
_SCHEDULE = "30 3 * * *"
_SIDECAR = Workload(
    name="relays-metrics-and-has-a-name-that-is-longer-than-any-cloud-s-limit",
    kind="service",
    command=("relay", "--all"),
    environment={"RELAY": "yes"},
    secret_files=frozenset({"tracking_token"}),
    cpus=0.5,
    cpu_request=0.25,
    memory_request=0.5,
    memory_limit=0.75,
    port=9000,
    probe=Probe(command=("relay", "--alive"), start_seconds=20, failures=5, path="/alive"),
)
_INIT = Workload(
    name="prepares-something",
    kind="init",
    command=("prepare",),
    environment={},
    secret_files=frozenset({"job_token"}),
    cpus=0.5,
    memory_limit=0.5,
)
_COMMON = {"allowedCidrs": ["0.0.0.0/0"], "cpus": 2, "memory": 4, "pruneSchedule": _SCHEDULE}
_AZURE = {
    **_COMMON,
    "cloud": "azure",
    "subscriptionId": "11111111-2222-4333-8444-555555555555",
    "region": "westeurope",
    "name": "a-name-of-thirty-two-characters1",
    "sshPublicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43,
}
_OCI = {
    **_COMMON,
    "cloud": "oci",
    "tenancyId": "ocid1.tenancy.oc1..aaaatest",
    "compartmentId": "ocid1.compartment.oc1..aaaatest",
    "region": "eu-frankfurt-1",
}


@pytest.fixture(autouse=True)
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    known = workloads.entries

    def more(settings: Common, site: Site) -> tuple[Workload, ...]:
        return (_INIT, *known(settings, site), _SIDECAR)

    monkeypatch.setattr(workloads, "entries", more)
    monkeypatch.setitem(jobs.SCHEDULES, _JOB, "prune_schedule")


def _keys(base: Mapping[str, Any], compute: str) -> dict[str, Any]:
    without = () if compute == "vm" else ("sshPublicKey",)
    return {**{k: v for k, v in base.items() if k not in without}, "compute": compute}


def _by_name(containers: list[dict[str, Any]], key: str = "name") -> dict[str, dict[str, Any]]:
    found = {entry[key]: entry for entry in containers}
    assert len(found) == len(containers)
    return found


def test_on_azure_s_container_instances() -> None:
    plan, made = deploy_azure(_keys(_AZURE, "container"))
    [group] = made.opened("containerinstance:ContainerGroup")
    services = _by_name(group["containers"])
    [init] = group["initContainers"]
    names = [*services, init["name"], *(volume["name"] for volume in group["volumes"])]
    assert all(is_a_label(name, 63) for name in names)
    [name] = services.keys() - {"server", "scheduler", "front"}
    sidecar = services[name]
    assert sidecar["image"] == services["server"]["image"] == init["image"]
    assert sidecar["command"] == ["trackstack", "relay", "--all"]
    assert sidecar["livenessProbe"]["exec"]["command"] == ["relay", "--alive"]
    assert sidecar["livenessProbe"]["initialDelaySeconds"] == 20
    assert "ports" not in sidecar
    variables = {entry["name"]: entry["value"] for entry in sidecar["environmentVariables"]}
    assert variables.keys() == {"RELAY", "AZURE_CLIENT_ID", "TRACKSTACK_IMAGE"}
    mounted = {mount["name"] for mount in sidecar["volumeMounts"]}
    volumes = _by_name(group["volumes"])
    assert mounted <= volumes.keys()
    assert [set(volumes[v]["secret"]) for v in mounted if "secret" in volumes[v]] == [
        {"tracking_token"}
    ]
    requests = [service["resources"]["requests"] for service in services.values()]
    assert sum(request["cpu"] for request in requests) == pytest.approx(2)
    assert sum(request["memoryInGB"] for request in requests) == pytest.approx(4)
    # The scheduler beside the server runs the jobs.
    assert plan.schedules[_JOB] == _SCHEDULE
    assert init["command"] == ["trackstack", "prepare"]
    assert "livenessProbe" not in init


def test_on_azure_s_container_apps() -> None:
    plan, made = deploy_azure(_keys(_AZURE, "scale"))
    [app] = made.opened("app:ContainerApp")
    services = _by_name(app["template"]["containers"])
    [init] = app["template"]["initContainers"]
    [name] = services.keys() - {"server"}
    sidecar = services[name]
    assert sidecar["args"] == ["relay", "--all"]
    assert init["args"] == ["prepare"]
    assert sidecar["image"] == services["server"]["image"]
    probes = {probe["type"]: probe["httpGet"] for probe in sidecar["probes"]}
    assert probes.keys() == {"Startup", "Liveness", "Readiness"}
    assert all(asked == {"path": "/alive", "port": 9000} for asked in probes.values())
    volumes = _by_name(app["template"]["volumes"])
    mounted = [mount["volumeName"] for mount in sidecar["volumeMounts"]]
    assert [entry["path"] for entry in volumes[mounted[0]]["secrets"]] == ["tracking_token"]
    secrets = {secret["name"] for secret in app["configuration"]["secrets"]}
    assert secrets >= {"tracking-token", "job-token", "backend-store-uri"}
    sizes = [service["resources"] for service in services.values()]
    assert sum(size["cpu"] for size in sizes) == 2
    assert sum(float(size["memory"].removesuffix("Gi")) for size in sizes) == 4
    assert all(is_a_label(label, 63) for label in (name, init["name"], *volumes))
    by_job = {job["template"]["containers"][0]["args"][-1]: job for job in made.opened("app:Job")}
    assert by_job.keys() == {"gc", "prune", "backup", _JOB}
    job = by_job[_JOB]
    assert job["jobName"] == plan.names.jobs[_JOB]
    assert is_a_label(job["jobName"], 32)
    assert job["configuration"]["scheduleTriggerConfig"]["cronExpression"] == _SCHEDULE
    # As they have been called since the first stack.
    assert by_job["gc"]["jobName"] == "a-name-of-thirty-two-char-gc"
    assert by_job["prune"]["jobName"] == "a-name-of-thirty-two-char-prune"


def _units(text: str) -> dict[str, Any]:
    return json.loads(gzip.decompress(base64.b64decode(text)))


def _check_units(described: Mapping[str, Any], command: str) -> None:
    units = cast("Mapping[str, str]", described["units"])
    sidecar = units[f"trackstack-{_SIDECAR.name}.service"]
    assert "Type=exec\nRestart=always" in sidecar
    assert "ExecStart=/opt/trackstack/bin/trackstack relay --all\n" in sidecar
    assert "LoadCredential=tracking_token:" in sidecar
    assert "MemoryMax=768M" in sidecar
    init = units["trackstack-prepares-something.service"]
    assert "Type=oneshot\nRemainAfterExit=yes" in init
    job = units[f"trackstack-{_JOB}.service"]
    assert "\nType=oneshot\nUser" in job
    assert f"ExecStart=/opt/trackstack/bin/trackstack {command}\n" in job
    for unit in (sidecar, job, units["trackstack-server.service"]):
        assert re.search(r"^After=.* trackstack-prepares-something\.service$", unit, re.MULTILINE)
    assert "OnCalendar=*-*-* 3:30:00 UTC" in units[f"trackstack-{_JOB}.timer"]
    enabled = set(described["enabled"])
    assert enabled >= {
        f"trackstack-{_SIDECAR.name}.service",
        "trackstack-prepares-something.service",
        f"trackstack-{_JOB}.timer",
    }
    assert f"trackstack-{_JOB}.service" not in enabled
    assert "RELAY=" in described["files"][f"{_SIDECAR.name}.env"]


def test_on_virtual_machines_of_azure() -> None:
    _, made = deploy_azure(_keys(_AZURE, "vm"))
    [machine] = made.opened("compute:VirtualMachine")
    _check_units(_units(machine["userData"]), f"scheduler --once {_JOB}")


def test_on_virtual_machines_of_oci() -> None:
    _, made = deploy_oci(_keys(_OCI, "vm"))
    [machine] = made.opened("Instance")
    _check_units(_units(machine["metadata"]["trackstack"]), f"scheduler --once {_JOB}")


def test_on_a_pool_of_machines_of_oci_where_one_of_them_runs_a_job() -> None:
    _, made = deploy_oci(_keys(_OCI, "scale"))
    [configuration] = made.opened("InstanceConfiguration")
    metadata = configuration["instanceDetails"]["launchDetails"]["metadata"]
    _check_units(_units(metadata["trackstack"]), f"scheduler --once {_JOB} --elect")


def test_on_oci_s_container_instances() -> None:
    plan, made = deploy_oci(_keys(_OCI, "container"))
    [instance] = made.opened("ContainerInstance")
    containers = _by_name(instance["containers"], "displayName")
    sidecar = containers[_SIDECAR.name]
    assert sidecar["arguments"] == ["relay", "--all"]
    assert "commands" not in sidecar
    assert sidecar["imageUrl"] == containers["server"]["imageUrl"]
    [check] = sidecar["healthChecks"]
    assert (check["healthCheckType"], check["path"], check["port"]) == ("HTTP", "/alive", 9000)
    assert containers["front"]["healthChecks"][0]["healthCheckType"] == "TCP"
    assert "healthChecks" not in containers["prepares-something"]
    assert instance["containerRestartPolicy"] == "ON_FAILURE"
    volumes = _by_name(instance["volumes"])
    mounted = [mount["volumeName"] for mount in sidecar["volumeMounts"]]
    assert [entry["fileName"] for entry in volumes[mounted[0]]["configs"]] == ["tracking_token"]
    assert plan.schedules[_JOB] == _SCHEDULE


def test_in_containers_of_this_machine() -> None:
    keys = {"cloud": "local", "compute": "container", "port": 1}
    plan, made = deploy_here({**keys, "pruneSchedule": _SCHEDULE})
    containers = _by_name(made.opened("Container"))
    sidecar = containers[f"trackstack-test-{_SIDECAR.name}"]
    assert sidecar["command"] == ["relay", "--all"]
    assert sidecar["healthcheck"]["tests"] == ["CMD", "relay", "--alive"]
    assert (sidecar["restart"], sidecar["user"]) == ("always", "10001:10001")
    awaited = _by_name(made.opened("AwaitedContainer")).keys()
    assert sidecar["name"] in awaited
    assert sidecar["image"] == containers["trackstack-test-server"]["image"]
    assert "ports" not in sidecar or sidecar["ports"] == []
    init = containers["trackstack-test-prepares-something"]
    assert (init["mustRun"], init["attach"], init["name"] in awaited) == (False, True, False)
    assert plan.schedules[_JOB] == _SCHEDULE


def test_in_processes_of_this_machine(tmp_path: Path) -> None:
    keys = {"cloud": "local", "port": 65123, "dataDir": str(tmp_path / "d")}
    plan, made = deploy_here({**keys, "pruneSchedule": _SCHEDULE})
    services = {
        inputs.get("program", "scheduler"): inputs for inputs in made.opened("LocalScheduler")
    }
    assert services.keys() == {"scheduler", _SIDECAR.name}
    assert services[_SIDECAR.name]["command"] == ["relay", "--all"]
    assert services[_SIDECAR.name]["environment"] == {"RELAY": "yes"}
    assert plan.schedules[_JOB] == _SCHEDULE


def test_no_cloud_asks_for_a_workload_s_name() -> None:
    root = Path(naming.__file__).parents[1]
    rendering = ("container", "described", "parts", "scale", "schedule", "server", "vm")
    files = [path for path in (root / "clouds").rglob("*.py") if path.stem in rendering]
    asking = re.compile(
        r"\.name\s*(==|!=|in\b)|(==|!=)\s*\w+\.name\b|get\(\w+\.name|name.*\[:\d+\]"
    )
    for path in (*files, root / "plan" / "machine.py"):
        assert not asking.search(path.read_text()), path


def test_a_server_is_given_what_the_others_leave() -> None:
    plan, _ = deploy_oci(_keys(_OCI, "container"))
    server = plan.workloads.server
    # 4 GiB without 0.1 of the proxy, 0.2 of the scheduler and 0.5 of the sidecar.
    assert (server.memory_request, server.memory_limit) == (3.2, 3.4)
    assert server.cpu_request == pytest.approx(2 - 0.1 - 0.1 - 0.25)
