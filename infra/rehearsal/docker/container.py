"""Containers: created, started, updated in place, removed.

As terraform-provider-docker does it, on which the real provider is built, to what it forgets: its
create, read and update are in resource_docker_container_funcs.go.
"""

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
from infra.rehearsal.docker.container_state import DEFAULTS, EMPTY, live
from infra.rehearsal.provider.errors import CloudError, NotReadyError
from infra.rehearsal.provider.metadata import Problem
from infra.rehearsal.provider.values import Props, Unknown, items

# What the daemon changes in a running container.
_UPDATED = frozenset(
    {"restart", "maxRetryCount", "memory", "memoryReservation", "memorySwap", "cpuShares", "cpuSet"}
    | {"deviceReadBps", "deviceReadIops", "deviceWriteBps", "deviceWriteIops"}
)
# What is kept in the state alone, until something else makes another container.
_NOTED = frozenset(
    {
        "attach",
        "containerReadRefreshTimeoutMilliseconds",
        "cpuPeriod",
        "cpuQuota",
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
# What the daemon fills in where the program says nothing, and which is no difference then.
_FILLED_IN = frozenset(
    {"hostname", "command", "entrypoints", "envs", "labels", "securityOpts", "runtime", "platform"}
    | {"stopSignal", "stopTimeout", "shmSize", "logDriver", "healthcheck", "ipcMode", "init"}
    | {"user", "workingDir"}
)
_RESTART = ("no", "on-failure", "always", "unless-stopped")
# Of a container whose creation failed: the next update makes another one.
_TAINTED = "__tainted"


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

    def compared(self, inputs: Props, state: Props) -> Props:
        """What the daemon gave at the last look counts, not what the program said then."""
        read = {name: state[name] for name in self.input_names() if name in state}
        if state.get(_TAINTED):
            read["name"] = None
        return {**inputs, **read}

    def same(self, name: str, old: Any, new: Any) -> bool:
        if new is None and name in _FILLED_IN:
            return True
        old, new = (DEFAULTS.get(name) if value is None else value for value in (old, new))
        if name == "healthcheck":
            old, new = _check_with_defaults(old), _check_with_defaults(new)
        if name == "capabilities":
            old, new = _without_empty(old), _without_empty(new)
        if name in _SETS and isinstance(old, list) and isinstance(new, list):
            return _unordered(cast("list[Any]", old)) == _unordered(cast("list[Any]", new))
        if not old and not new:
            return True
        return super().same(name, old, new)

    def create(self, inputs: Props) -> tuple[str, Props]:
        with refusals():
            id = cast("str", self._create(inputs)["Id"])
        tainted = {**inputs, _TAINTED: True}
        try:
            with refusals():
                self._start(id, inputs)
        except CloudError as error:
            raise NotReadyError(id, tainted, str(error)) from None
        if inputs.get("start", True) and inputs.get("wait"):
            self._wait_until_healthy(id, inputs.get("waitTimeout", 60), tainted)
        props = dict(inputs)
        if inputs.get("attach"):
            self.daemon.wait(id)
            if inputs.get("logs"):
                props["containerLogs"] = self.daemon.logs(id).decode(errors="replace")
        return id, {**props, **live(self.daemon.inspect_container(id), inputs)}

    def read(self, id: str, known: Props) -> Props | None:
        with refusals():
            inspected = found(self.daemon.inspect_container, id)
        if inspected is None:
            return None
        props = {**EMPTY, **known, **live(inspected, known)}
        props.pop(_TAINTED, None)
        return props

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        """What is kept afterwards is what the program said: the daemon is not looked at again."""
        dropped = self.input_names() - inputs.keys() - _FILLED_IN
        props = {name: value for name, value in known.items() if name not in dropped} | inputs
        try:
            with refusals():
                if not known.get("mustRun", True) and inputs.get("mustRun", True):
                    self.daemon.start(id)
                if any(not self.same(name, known.get(name), inputs.get(name)) for name in _UPDATED):
                    self.daemon.update_container(
                        id,
                        restart_policy=restart_policy(inputs),
                        mem_limit=inputs.get("memory", 0) * MIB,
                        mem_reservation=inputs.get("memoryReservation", 0) * MIB,
                        cpu_shares=inputs.get("cpuShares", 0),
                        cpuset_cpus=inputs.get("cpuSet"),
                        # Without one Docker keeps the last limit of swap.
                        memswap_limit=swap(inputs.get("memorySwap")),
                    )
        except CloudError as error:
            raise NotReadyError(id, props, f"Unable to update a container: {error}") from None
        return props

    def delete(self, id: str, known: Props) -> None:
        with refusals():
            if not found(self.daemon.inspect_container, id):
                return
            if not known.get("attach"):
                self.daemon.stop(id, timeout=known.get("destroyGraceSeconds") or 0)
            if found(self.daemon.inspect_container, id):
                self.daemon.remove_container(id, v=known.get("removeVolumes", True), force=True)

    def _create(self, inputs: Props) -> Any:
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
            host_config=host_config(self.daemon, inputs),
        )

    def _start(self, id: str, inputs: Props) -> None:
        networks = items(inputs, "networksAdvanced")
        if networks and "networkMode" not in inputs:
            # It is made on the daemon's own network first, and so needs one.
            self.daemon.disconnect_container_from_network(id, DEFAULTS["networkMode"])
        for network in networks:
            self.daemon.connect_container_to_network(id, network["name"], **endpoint(network))
        for upload in items(inputs, "uploads"):
            self.daemon.put_archive(id, "/", archive(upload))
        if inputs.get("start", True):
            self.daemon.start(id)

    def _wait_until_healthy(self, id: str, seconds: float, tainted: Props) -> None:
        """For all of the time, also where it has ended long before."""
        deadline = time.monotonic() + seconds
        while time.monotonic() <= deadline:
            state = self.daemon.inspect_container(id)["State"]
            if "Health" not in state:
                reason = "you have supplied a 'wait' argument, but the container does not have a "
                raise NotReadyError(id, tainted, f"{reason}healthcheck defined")
            if state["Health"]["Status"] == "healthy":
                return
            self.cloud.pause(0.5)
        raise NotReadyError(id, tainted, "container failed to be in healthy state")


def _check_with_defaults(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    check = cast("Props", value)
    names = ("interval", "timeout", "startPeriod", "startInterval")
    return {
        "tests": check.get("tests") or [],
        "retries": check.get("retries") or 0,
        **{name: check.get(name) or "0s" for name in names},
    }


def _without_empty(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: sorted(of) for name, of in cast("dict[str, list[str]]", value).items() if of}


def _unordered(values: list[Any]) -> list[str]:
    """The values so that two lists compare as sets; names come off the wire in any order too."""
    return sorted(json.dumps(value, sort_keys=True, default=repr) for value in values)
