"""What a virtual machine is told to be: pure, but that systemd reads its calendars in the end."""

import base64
import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.place import systemd_texts
from infra.plan import machine, make_plan
from infra.plan.machine import Machine
from infra.plan.oci import OciPlan
from infra.plan.place import Place
from infra.settings import parse

_KEYS = {
    "cloud": "oci",
    "tenancyId": "ocid1.tenancy.oc1..aaaatest",
    "compartmentId": "ocid1.compartment.oc1..aaaatest",
    "region": "eu-frankfurt-1",
    "allowedCidrs": '["203.0.113.0/24"]',
    "compute": "vm",
}
_TEXTS = systemd_texts()


def _machine(**keys: str) -> Machine:
    plan = make_plan(parse({**_KEYS, **keys}), Place("test", Path(__file__).parents[3]))
    assert isinstance(plan, OciPlan)
    return Machine(
        image=f"registry.example/t@sha256:{'a' * 64}",
        workloads=plan.workloads.all,
        environments={w.name: w.environment for w in plan.workloads.all},
        secrets={name: f"{name}?1" for name in plan.workloads.secret_files},
        texts=_TEXTS,
    )


_JOBS = ("gc", "prune", "backup")
_SCHEDULES = [f"{job}Schedule" for job in _JOBS]


def _read(text: str) -> Any:
    return gzip.decompress(base64.b64decode(text)).decode()


def _described(of: Machine) -> dict[str, Any]:
    return json.loads(_read(machine.description(of)))


def test_the_server_alone_answers_to_the_name_that_published_set_ups_have() -> None:
    """`systemctl status mlflow`."""
    units = _described(_machine())["units"]
    named = {name for name, text in units.items() if "\nAlias=mlflow.service\n" in text}
    assert named == {"trackstack-server.service"}
    [server] = (w for w in _machine().workloads if w.takes_rest)
    assert server.name == "server"


def test_server_proxy_and_timers_are_enabled_and_jobs_start_by_timers_alone() -> None:
    described = _described(_machine(backupSchedule="30 2 * * *"))
    names = ("database.service", "server.service", "front.service")
    timers = ("gc.timer", "prune.timer", "backup.timer")
    assert described["enabled"] == [f"trackstack-{name}" for name in (*names, *timers)]
    assert "OnCalendar=*-*-* 2:30:00 UTC" in described["units"]["trackstack-backup.timer"]


def test_a_machine_on_which_nothing_is_scheduled_has_neither_timers_nor_a_scheduler() -> None:
    described = _described(_machine(**dict.fromkeys(_SCHEDULES, "never")))
    names = ("database.service", "front.service", "server.service")
    assert sorted(described["enabled"]) == sorted(described["units"])
    assert sorted(described["units"]) == [f"trackstack-{name}" for name in names]


def test_each_unit_gets_its_own_secrets_and_no_other() -> None:
    units = _described(_machine())["units"]
    server, front = units["trackstack-server.service"], units["trackstack-front.service"]
    assert "LoadCredential=tracking_token:" in server
    assert "ca_key" not in server
    assert "LoadCredential=ca_key:" in front
    assert "tracking_token" not in front
    assert "tracking_token" not in units["trackstack-gc.service"]


@pytest.mark.parametrize(
    ("changed", "units"),
    [
        ({"image": f"registry.example/t@sha256:{'b' * 64}"}, {"server", "database", *_JOBS}),
        ({"secrets": "tracking_token"}, {"server"}),
        ({"secrets": "ca_key"}, {"front"}),
        ({"secrets": "job_token"}, {"server", *_JOBS}),
    ],
)
def test_a_unit_is_another_when_what_it_depends_on_is(
    changed: dict[str, str], units: set[str]
) -> None:
    before = _machine()
    if "secrets" in changed:
        after = replace(before, secrets={**before.secrets, changed["secrets"]: "another?2"})
    else:
        after = replace(before, **changed)
    old, new = _described(before)["units"], _described(after)["units"]
    others = {name for name in new if new[name] != old[name]}
    assert others == {f"trackstack-{unit}.service" for unit in units}


def test_cloud_init_installs_what_the_agent_needs_and_trusts_whom_the_stack_file_says() -> None:
    two = [f"-----BEGIN CERTIFICATE-----\n{n}\n-----END CERTIFICATE-----" for n in "12"]
    text = _read(machine.user_data(_TEXTS, "azure", "client-1", "# ours\n" + "\n".join(two)))
    assert text.startswith("#cloud-config\n")
    config = yaml.safe_load(text)
    assert {"skopeo", "umoci", "caddy"} <= set(config["packages"])
    assert config["ca_certs"] == {"trusted": two}
    files = {entry["path"]: entry["content"] for entry in config["write_files"]}
    unit = files["/etc/systemd/system/trackstack-agent.service"]
    assert "/etc/trackstack/agent.py azure client-1\n" in unit
    compile(files["/etc/trackstack/agent.py"], "agent.py", "exec")
    assert "ca_certs" not in yaml.safe_load(_read(machine.user_data(_TEXTS, "oci")))


def test_a_machine_that_is_up_is_told_its_agent_where_no_other_can_be_begun() -> None:
    """In the places that an agent of an earlier version writes to, and may."""
    pem = "-----BEGIN CERTIFICATE-----\n1\n-----END CERTIFICATE-----"
    described = _described(replace(_machine(), agent="azure client-1", trusted=f"# ours\n{pem}"))
    assert described["files"]["agent.py"] == _TEXTS["agent.py"]
    unit = described["units"]["trackstack-agent.service"]
    assert "ExecStart=/usr/bin/python3 -I /etc/trackstack/agent.py azure client-1\n" in unit
    assert "trackstack-agent.timer" in described["units"]
    # It is started by its timer, and must not end itself.
    assert not [name for name in described["enabled"] if "agent" in name]
    assert described["trusted"] == [pem]
    assert not {"agent.py", "trusted"} & {*_described(_machine())["files"], *_described(_machine())}


def test_both_parts_fit_in_the_metadata_of_every_cloud() -> None:
    environment = json.dumps({f"VARIABLE_{n}": "x" * 40 for n in range(50)})
    one = replace(_machine(environment=environment, backupSchedule="0 1 * * *"), agent="oci")
    described = machine.description(one)
    assert len(described) + len(machine.user_data(_TEXTS, "oci")) < 24_000


def test_the_same_machine_is_described_by_the_same_text() -> None:
    assert machine.description(_machine()) == machine.description(_machine())
    assert machine.user_data(_TEXTS, "oci") == machine.user_data(_TEXTS, "oci")
