"""What a virtual machine runs, the same on every cloud. Pure.

The runtime image is unpacked on the machine and run by systemd itself: there is no container
runtime to keep, and each process has no more rights than its unit says. cloud-init installs
packages and an agent (runtime/systemd/agent.py) once; all else is the description, which the stack
keeps in the instance's metadata and the agent applies, also when it is another later. So a new
image or another key changes the machine in place, and its address stays. Where a cloud lets nobody
change what a machine was begun with, the description has the agent itself as well.
"""

import base64
import gzip
import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

import yaml

from infra.plan.workloads import DATABASE, SECRETS_DIRECTORY, USER, Kind, Workload
from runtime.cron import calendars

_PACKAGES = ("caddy", "python3-cryptography", "skopeo", "umoci", "unattended-upgrades")
_CREDENTIALS = "/run/credentials"
_AGENT = "agent.py"
_KINDS: dict[Kind, str] = {
    "service": "Type=exec\nRestart=always\nRestartSec=5",
    # Once in a boot, and until it was done.
    "init": "Type=oneshot\nRemainAfterExit=yes\nRestart=on-failure\nRestartSec=10",
    "job": "Type=oneshot",
}
# By which published set-ups know the server.
_ALIAS = "\nAlias=mlflow.service"
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Machine:
    """``image`` is by digest; ``workloads`` are the plan's, and ``environments`` what each has, by
    name. ``secrets`` are versioned addresses in the cloud's vault, by file name; ``texts`` those of
    infra.place.systemd_texts. ``agent`` are the agent's arguments and ``trusted`` certificates in
    PEM, where the machine is brought up to date in them.
    """

    image: str
    workloads: Sequence[Workload]
    environments: Mapping[str, Mapping[str, str]]
    secrets: Mapping[str, str]
    texts: Mapping[str, str]
    agent: str = ""
    trusted: str = ""


def description(machine: Machine) -> str:
    """What the agent makes of a machine, as the metadata holds it: base64 of compressed JSON."""
    timers = {
        _timer(w): _timer_text(machine, w, w.schedule) for w in machine.workloads if w.schedule
    }
    units = {_service(w): _unit(machine, w) for w in machine.workloads}
    own = _agent_units(machine.texts, machine.agent) if machine.agent else {}
    agent = {_AGENT: machine.texts[_AGENT]} if machine.agent else {}
    text = json.dumps(
        {
            "image": machine.image,
            "secrets": {name: machine.secrets[name] for name in sorted(_secret_files(machine))},
            # An agent of an earlier version knows them from its own by nothing.
            "units": {**units, **timers, **own},
            # The jobs are started by their timers.
            "enabled": [*(_service(w) for w in machine.workloads if w.kind != "job"), *timers],
            "files": {**{_file(w): _file_text(machine, w) for w in machine.workloads}, **agent},
            **({"trusted": _certificates(machine.trusted)} if machine.agent else {}),
        },
        sort_keys=True,
    )
    return _compressed(text)


def user_data(texts: Mapping[str, str], cloud: str, client_id: str = "", trusted: str = "") -> str:
    """cloud-init's part, compressed and in base64: packages, the agent, and whom to trust.

    ``texts`` are those of infra.place.systemd_texts; ``client_id`` is that of Azure's managed
    identity; ``trusted`` are certificates in PEM.
    """
    arguments = " ".join(filter(None, (cloud, client_id)))
    units = {
        f"/etc/systemd/system/{name}": text for name, text in _agent_units(texts, arguments).items()
    }
    user = USER.partition(":")[0]
    files = {
        **units,
        f"/etc/trackstack/{_AGENT}": texts[_AGENT],
        # So that an agent of the cloud's that collects syslog sees it.
        "/etc/systemd/journald.conf.d/trackstack.conf": "[Journal]\nForwardToSyslog=yes\n",
        "/etc/sysusers.d/trackstack.conf": f"u trackstack {user} - /\n",
        "/etc/tmpfiles.d/trackstack.conf": (
            "d /etc/trackstack 0755\nd /var/lib/trackstack 0755\n"
            "d /var/lib/trackstack/data 0700 trackstack trackstack\n"
        ),
    }
    config: dict[str, Any] = {
        "package_update": True,
        "packages": list(_PACKAGES),
        "write_files": [{"path": path, "content": text} for path, text in files.items()],
        "runcmd": [
            ["systemctl", "disable", "--now", "caddy.service"],
            ["systemctl", "restart", "systemd-journald.service"],
            ["systemd-sysusers"],
            ["systemd-tmpfiles", "--create", "trackstack.conf"],
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "trackstack-agent.service", "trackstack-agent.timer"],
            ["systemctl", "start", "--no-block", "trackstack-agent.service"],
            ["systemctl", "start", "--no-block", "trackstack-agent.timer"],
        ],
    }
    if trusted:
        config["ca_certs"] = {"trusted": _certificates(trusted)}
    return _compressed(f"#cloud-config\n{yaml.safe_dump(config, width=1000)}")


def _agent_units(texts: Mapping[str, str], arguments: str) -> dict[str, str]:
    return {
        f"trackstack-agent.{kind}": _filled(
            texts[f"agent.{kind}"], arguments=arguments, hardening=_hardening(texts)
        )
        for kind in ("service", "timer")
    }


def _certificates(pem: str) -> list[str]:
    return _CERTIFICATE.findall(pem)


def _compressed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _filled(template: str, **values: str) -> str:
    return Template(template).substitute(values)


def _hardening(texts: Mapping[str, str]) -> str:
    return texts["hardening.conf"].strip()


def _service(workload: Workload) -> str:
    return f"trackstack-{workload.name}.service"


def _timer(job: Workload) -> str:
    return f"trackstack-{job.name}.timer"


def _timer_text(machine: Machine, job: Workload, schedule: str) -> str:
    due = "\n".join(f"OnCalendar={calendar}" for calendar in calendars(schedule))
    return _filled(machine.texts["job.timer"], name=job.name, calendars=due)


def _secret_files(machine: Machine) -> set[str]:
    return {name for w in machine.workloads for name in w.secret_files & machine.secrets.keys()}


def _after(machine: Machine, workload: Workload) -> str:
    """The units that end before this one starts."""
    if workload.kind == "init":
        return ""
    # Also where there is none, which systemd ignores: units of stacks that are up say it.
    inits = (DATABASE, *(each.name for each in machine.workloads if each.kind == "init"))
    return "".join(f" trackstack-{name}.service" for name in dict.fromkeys(inits))


def _unit(machine: Machine, workload: Workload) -> str:
    names = sorted(workload.secret_files & machine.secrets.keys())
    depends = [_file_text(machine, workload), *(machine.secrets[name] for name in names)]
    values = {
        "again": hashlib.sha256("\n".join(depends).encode()).hexdigest()[:16],
        "credentials": "\n".join(
            f"LoadCredential={name}:/run/trackstack/secrets/{name}" for name in names
        ),
        "memory": f"{round(workload.memory_limit * 1024)}M",
        "hardening": _hardening(machine.texts),
    }
    if workload.image == "proxy":
        return _filled(machine.texts["front.service"], port=str(workload.port), **values)
    return _filled(
        machine.texts["runtime.service"],
        name=workload.name,
        after=_after(machine, workload),
        digest=machine.image.rpartition(":")[2],
        kind=_KINDS[workload.kind],
        command=shlex.join(workload.command),
        alias=_ALIAS if workload.takes_rest else "",
        **values,
    )


def _file(workload: Workload) -> str:
    return "Caddyfile" if workload.image == "proxy" else f"{workload.name}.env"


def _file_text(machine: Machine, workload: Workload) -> str:
    """The proxy's configuration, or the environment; systemd gives each unit its own secrets."""
    own = f"{_CREDENTIALS}/{_service(workload)}"
    given = machine.environments[workload.name]
    if workload.image == "proxy":
        return given["CADDYFILE"].replace(SECRETS_DIRECTORY, own)
    return "".join(
        f"{name}={json.dumps(value.replace(SECRETS_DIRECTORY, own), ensure_ascii=False)}\n"
        for name, value in sorted(given.items())
    )
