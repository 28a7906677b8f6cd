"""A container of the daemon's as the provider keeps it in the state. Pure."""

from typing import Any, cast

from infra.clouds.docker import texts
from infra.rehearsal.docker.container_config import MIB
from infra.rehearsal.provider.values import Props

DEFAULTS: Props = {
    "containerReadRefreshTimeoutMilliseconds": 15000,
    "mustRun": True,
    "networkMode": "bridge",
    "removeVolumes": True,
    "restart": "no",
    "start": True,
    "waitTimeout": 60,
}
# What a look at a container adds to the state that its creation left.
EMPTY: Props = {
    "dns": [],
    "dnsOpts": [],
    "dnsSearches": [],
    "groupAdds": [],
    "storageOpts": {},
    "sysctls": {},
}


def live(inspected: Props, known: Props) -> Props:
    """What the provider reads back, each value in its own way of writing it.

    ``known`` is the state so far, or the inputs of a new one.
    """
    state, host, config = inspected["State"], inspected["HostConfig"], inspected["Config"]
    props: Props = {
        "name": inspected["Name"].lstrip("/"),
        "image": inspected["Image"]
        if str(known.get("image", "")).startswith("sha256:")
        else config["Image"],
        "hostname": config["Hostname"],
        "command": config["Cmd"],
        "entrypoints": config["Entrypoint"],
        "user": config["User"],
        "workingDir": config["WorkingDir"],
        "restart": host["RestartPolicy"]["Name"],
        "maxRetryCount": host["RestartPolicy"]["MaximumRetryCount"],
        "readOnly": host["ReadonlyRootfs"],
        "securityOpts": host["SecurityOpt"],
        "tmpfs": host.get("Tmpfs"),
        "runtime": host["Runtime"],
        "ipcMode": host["IpcMode"],
        "logDriver": host["LogConfig"]["Type"],
        "networkMode": host["NetworkMode"],
        "memory": host["Memory"] // MIB,
        "memoryReservation": host["MemoryReservation"] // MIB,
        "memorySwap": _mebibytes(host["MemorySwap"]),
        "shmSize": host["ShmSize"] // MIB,
        "cpuShares": host["CpuShares"],
        "cpuSet": host["CpusetCpus"],
        # A list that has become empty is not taken into the state.
        "networkDatas": _networks(inspected["NetworkSettings"]) or known.get("networkDatas", []),
        "bridge": inspected["NetworkSettings"].get("Bridge", ""),
    }
    if host["NanoCpus"]:
        props["cpus"] = texts.read_back(host["NanoCpus"] / 1e9)
    if host["CapAdd"] or host["CapDrop"]:
        props["capabilities"] = {"adds": host["CapAdd"] or [], "drops": host["CapDrop"] or []}
    if config.get("Healthcheck"):
        props["healthcheck"] = _healthcheck(config["Healthcheck"])
    must_run = known.get("mustRun", True)
    if known.get("ports") and (state["Running"] or must_run):
        # One that is stopped has none.
        props["ports"] = known["ports"] if state["Running"] else []
    if not state["Running"]:
        props["exitCode"] = state["ExitCode"]
        if must_run:
            # A difference to the program, which makes the next update start it.
            props["mustRun"] = False
    return props


def _mebibytes(count: int) -> int:
    return count // MIB if count > 0 else count


def _healthcheck(check: Props) -> Props:
    """The image's own where the program says nothing of a part: the daemon has merged it."""
    names = (
        *(("interval", "Interval"), ("timeout", "Timeout")),
        *(("startPeriod", "StartPeriod"), ("startInterval", "StartInterval")),
    )
    return {
        "tests": check.get("Test") or [],
        "retries": check.get("Retries", 0),
        **{name: _duration(check.get(key, 0)) for name, key in names},
    }


def _duration(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return texts.duration(seconds) if not rest else f"{nanoseconds / 1e6:g}ms"


def _networks(settings: Props) -> list[Props]:
    networks = cast("dict[str, Any]", settings["Networks"] or {})
    return [
        {
            "networkName": name,
            "ipAddress": network["IPAddress"],
            "ipPrefixLength": network["IPPrefixLen"],
            "gateway": network["Gateway"],
            "macAddress": network["MacAddress"],
        }
        for name, network in sorted(networks.items())
    ]
