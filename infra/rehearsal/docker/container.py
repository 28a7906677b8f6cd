"""Containers: created, updated in place, awaited, removed."""

import json
import time
from collections.abc import Iterator
from typing import Any, cast

from infra.rehearsal.docker.client import DaemonResource, found, pairs, refusals
from infra.rehearsal.docker.container_config import (
    MIB,
    archive,
    endpoint,
    healthcheck,
    host_config,
    nanoseconds,
    restart_policy,
    swap,
)
from infra.rehearsal.provider.errors import CloudError, NotReadyError
from infra.rehearsal.provider.metadata import Problem
from infra.rehearsal.provider.values import Props, Unknown, items

# What the daemon changes in a running container, and what only the provider looks at.
_UPDATED = frozenset({"restart", "maxRetryCount", "memory", "memorySwap", "cpuShares", "cpuSet"})
_NOTED = frozenset(
    {
        "attach",
        "containerReadRefreshTimeoutMilliseconds",
        "destroyGraceSeconds",
        "healthcheck",
        "init",
        "logs",
        "mustRun",
        "removeVolumes",
        "rm",
        "start",
        "tmpfs",
        "wait",
        "waitTimeout",
    }
)
# Lists whose order means nothing.
_SETS = frozenset(
    {"capabilities", "dns", "dnsOpts", "dnsSearches", "envs", "groupAdds", "hosts", "labels"}
    | {"mounts", "networksAdvanced", "securityOpts", "ulimits", "uploads", "volumes"}
)
_RESTART = ("no", "on-failure", "always", "unless-stopped")


class Container(DaemonResource):
    token = "docker:index/container:Container"
    name_input = "name"
    autoname_separator = "-"

    @classmethod
    def replace_paths(cls) -> frozenset[str]:
        return cls.input_names() - _UPDATED - _NOTED

    def check(self, inputs: Props) -> Iterator[Problem]:
        restart = inputs.get("restart", "no")
        if not isinstance(restart, Unknown) and restart not in _RESTART:
            reason = f"expected restart to be one of {', '.join(_RESTART)}; got {restart!r}"
            yield Problem("restart", reason)
        check = inputs.get("healthcheck")
        for name in ("interval", "timeout", "startPeriod", "startInterval"):
            value = cast("Props", check).get(name) if isinstance(check, dict) else None
            if isinstance(value, str) and nanoseconds(value) is None:
                reason = f'"{value}" is not a valid duration (ms|s|m|h)'
                yield Problem(f"healthcheck.{name}", reason)

    def same(self, name: str, old: Any, new: Any) -> bool:
        if name in _SETS and isinstance(old, list) and isinstance(new, list):
            return _unordered(cast("list[Any]", old)) == _unordered(cast("list[Any]", new))
        return super().same(name, old, new)

    def create(self, inputs: Props) -> tuple[str, Props]:
        with refusals():
            id = cast("str", self._create(inputs)["Id"])
        try:
            with refusals():
                self._start(id, inputs)
        except CloudError as error:
            raise NotReadyError(id, inputs, str(error)) from None
        return id, self._settle(id, inputs)

    def read(self, id: str, known: Props) -> Props | None:
        with refusals():
            live = found(self.daemon.inspect_container, id)
        if live is None:
            return None
        state = live["State"]
        if known and known.get("mustRun", True) and not (state["Running"] or state["Restarting"]):
            # As the real provider does: what must run and does not is created again.
            self.delete(id, known)
            return None
        return {**known, **_live(live, known)}

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        with refusals():
            self.daemon.update_container(
                id,
                restart_policy=restart_policy(inputs),
                mem_limit=inputs.get("memory", 0) * MIB,
                memswap_limit=swap(inputs.get("memorySwap", -1 if inputs.get("memory") else 0)),
                cpu_shares=inputs.get("cpuShares", 0),
                cpuset_cpus=inputs.get("cpuSet"),
            )
            live = self.daemon.inspect_container(id)
        return {**inputs, **_live(live, inputs)}

    def delete(self, id: str, known: Props) -> None:
        with refusals():
            if not found(self.daemon.inspect_container, id):
                return
            if known.get("destroyGraceSeconds"):
                self.daemon.stop(id, timeout=known["destroyGraceSeconds"])
            if found(self.daemon.inspect_container, id):
                self.daemon.remove_container(id, v=known.get("removeVolumes", True), force=True)

    def _create(self, inputs: Props) -> Any:
        networks = items(inputs, "networksAdvanced")
        first = (
            self.daemon.create_networking_config(
                {networks[0]["name"]: self.daemon.create_endpoint_config(**endpoint(networks[0]))}
            )
            if networks
            else None
        )
        return self.daemon.create_container(
            inputs["image"],
            name=inputs["name"],
            command=inputs.get("command"),
            entrypoint=inputs.get("entrypoints"),
            environment=inputs.get("envs"),
            user=inputs.get("user"),
            hostname=inputs.get("hostname"),
            domainname=inputs.get("domainname"),
            working_dir=inputs.get("workingDir"),
            labels=pairs(items(inputs, "labels")),
            ports=[(p["internal"], p.get("protocol", "tcp")) for p in items(inputs, "ports")],
            healthcheck=healthcheck(inputs.get("healthcheck")),
            stop_signal=inputs.get("stopSignal"),
            stop_timeout=inputs.get("stopTimeout"),
            tty=inputs.get("tty", False),
            stdin_open=inputs.get("stdinOpen", False),
            platform=inputs.get("platform"),
            networking_config=first,
            host_config=host_config(self.daemon, inputs),
        )

    def _start(self, id: str, inputs: Props) -> None:
        for network in items(inputs, "networksAdvanced")[1:]:
            self.daemon.connect_container_to_network(id, network["name"], **endpoint(network))
        for upload in items(inputs, "uploads"):
            self.daemon.put_archive(id, "/", archive(upload))
        if inputs.get("start", True):
            self.daemon.start(id)

    def _settle(self, id: str, inputs: Props) -> Props:
        """Wait until it is as requested: ended, healthy or just running."""
        if inputs.get("attach"):
            self.daemon.wait(id)
        live = self.daemon.inspect_container(id)
        props = {**inputs, **_live(live, inputs)}
        if inputs.get("attach"):
            if inputs.get("logs"):
                props["containerLogs"] = self.daemon.logs(id).decode(errors="replace")
            return props
        if not inputs.get("start", True):
            return props
        if inputs.get("wait"):
            if "Health" not in live["State"]:
                raise NotReadyError(id, props, "you need to supply a healthcheck to wait for it")
            self._wait_until_healthy(id, inputs.get("waitTimeout", 60), props)
        elif inputs.get("mustRun", True) and not live["State"]["Running"]:
            raise NotReadyError(id, props, self._obituary(id, live))
        return {**props, **_live(self.daemon.inspect_container(id), inputs)}

    def _wait_until_healthy(self, id: str, seconds: float, props: Props) -> None:
        deadline = time.monotonic() + seconds
        while True:
            live = self.daemon.inspect_container(id)
            health = live["State"]["Health"]["Status"]
            if health == "healthy":
                return
            if not live["State"]["Running"] and not live["State"]["Restarting"]:
                raise NotReadyError(id, props, self._obituary(id, live))
            if health == "unhealthy":
                raise NotReadyError(id, props, f"container {id[:12]} is unhealthy")
            if time.monotonic() > deadline:
                reason = f"container {id[:12]} is not healthy after {seconds:g} seconds"
                raise NotReadyError(id, props, reason)
            self.cloud.pause(0.2)

    def _obituary(self, id: str, live: Props) -> str:
        logs = self.daemon.logs(id, tail=10).decode(errors="replace").strip()
        return f"container {id[:12]} exited with {live['State']['ExitCode']}: {logs}"


def _unordered(values: list[Any]) -> list[str]:
    """The values so that two lists compare as sets; names come off the wire in any order too."""
    return sorted(json.dumps(value, sort_keys=True, default=repr) for value in values)


def _live(live: Props, known: Props) -> Props:
    """The outputs that the daemon knows, and the inputs that others may have changed."""
    settings, host = live["NetworkSettings"], live["HostConfig"]
    props: Props = {
        "name": live["Name"].lstrip("/"),
        "image": known.get("image", live["Image"]),
        "hostname": live["Config"]["Hostname"],
        "restart": host["RestartPolicy"]["Name"] or "no",
        "bridge": settings.get("Bridge", ""),
        "networkDatas": [
            {
                "networkName": name,
                "ipAddress": network["IPAddress"],
                "ipPrefixLength": network["IPPrefixLen"],
                "gateway": network["Gateway"],
                "macAddress": network["MacAddress"],
            }
            for name, network in sorted(settings["Networks"].items())
        ],
    }
    if host["Memory"] or "memory" in known:
        props["memory"] = host["Memory"] // MIB
    if not live["State"]["Running"] and not live["State"]["Restarting"]:
        props["exitCode"] = live["State"]["ExitCode"]
    return props
