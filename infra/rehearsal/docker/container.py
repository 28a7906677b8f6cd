"""Containers, with all that a stack says about one."""

import base64
import io
import json
import re
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import docker.types

from infra.rehearsal.docker.client import DaemonResource, found, pairs, refusals
from infra.rehearsal.provider.errors import CloudError, NotReadyError
from infra.rehearsal.provider.metadata import Problem
from infra.rehearsal.provider.values import Props, Unknown, child, items

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
_UNITS = {"ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}
_MIB = 1024 * 1024


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
            if isinstance(value, str) and _nanoseconds(value) is None:
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
                restart_policy=_restart_policy(inputs),
                mem_limit=inputs.get("memory", 0) * _MIB,
                memswap_limit=_swap(inputs.get("memorySwap", -1 if inputs.get("memory") else 0)),
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
                {networks[0]["name"]: self.daemon.create_endpoint_config(**_endpoint(networks[0]))}
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
            healthcheck=_healthcheck(inputs.get("healthcheck")),
            stop_signal=inputs.get("stopSignal"),
            stop_timeout=inputs.get("stopTimeout"),
            tty=inputs.get("tty", False),
            stdin_open=inputs.get("stdinOpen", False),
            platform=inputs.get("platform"),
            networking_config=first,
            host_config=self._host_config(inputs),
        )

    def _start(self, id: str, inputs: Props) -> None:
        for network in items(inputs, "networksAdvanced")[1:]:
            self.daemon.connect_container_to_network(id, network["name"], **_endpoint(network))
        for upload in items(inputs, "uploads"):
            self.daemon.put_archive(id, "/", _archive(upload))
        if inputs.get("start", True):
            self.daemon.start(id)

    def _host_config(self, inputs: Props) -> Any:
        types = cast("Any", docker.types)
        networks, log_driver = items(inputs, "networksAdvanced"), inputs.get("logDriver")
        capabilities = child(inputs, "capabilities")
        ports: dict[str, list[tuple[str, int | None]]] = {}
        for port in items(inputs, "ports"):
            inside = f"{port['internal']}/{port.get('protocol', 'tcp')}"
            # As Docker does where no address is given.
            outside = (port.get("ip", "0.0.0.0"), port.get("external"))  # noqa: S104
            ports.setdefault(inside, []).append(outside)
        volumes = items(inputs, "volumes")
        return self.daemon.create_host_config(
            binds=[_bind(volume) for volume in volumes if not volume.get("fromContainer")],
            volumes_from=[v["fromContainer"] for v in volumes if v.get("fromContainer")] or None,
            mounts=[_mount(mount) for mount in items(inputs, "mounts")],
            port_bindings=ports,
            publish_all_ports=inputs.get("publishAllPorts", False),
            restart_policy=_restart_policy(inputs),
            auto_remove=inputs.get("rm", False),
            read_only=inputs.get("readOnly", False),
            privileged=inputs.get("privileged", False),
            cap_add=capabilities.get("adds"),
            cap_drop=capabilities.get("drops"),
            security_opt=inputs.get("securityOpts"),
            mem_limit=_bytes(inputs.get("memory")),
            mem_reservation=_bytes(inputs.get("memoryReservation")),
            memswap_limit=_swap(inputs.get("memorySwap")),
            shm_size=_bytes(inputs.get("shmSize")),
            nano_cpus=int(float(inputs["cpus"]) * 1e9) if inputs.get("cpus") else None,
            cpu_shares=inputs.get("cpuShares"),
            cpuset_cpus=inputs.get("cpuSet"),
            cpu_period=inputs.get("cpuPeriod"),
            cpu_quota=inputs.get("cpuQuota"),
            network_mode=networks[0]["name"] if networks else inputs.get("networkMode"),
            extra_hosts={host["host"]: host["ip"] for host in items(inputs, "hosts")},
            dns=inputs.get("dns"),
            dns_opt=inputs.get("dnsOpts"),
            dns_search=inputs.get("dnsSearches"),
            pid_mode=inputs.get("pidMode"),
            ipc_mode=inputs.get("ipcMode"),
            userns_mode=inputs.get("usernsMode"),
            cgroupns=inputs.get("cgroupnsMode"),
            cgroup_parent=inputs.get("cgroupParent"),
            runtime=inputs.get("runtime"),
            init=inputs.get("init"),
            group_add=inputs.get("groupAdds"),
            sysctls=inputs.get("sysctls"),
            tmpfs=inputs.get("tmpfs"),
            storage_opt=inputs.get("storageOpts"),
            ulimits=[types.Ulimit(**ulimit) for ulimit in items(inputs, "ulimits")],
            log_config=types.LogConfig(type=log_driver, config=child(inputs, "logOpts"))
            if log_driver
            else None,
            devices=[_device(device) for device in items(inputs, "devices")],
            device_cgroup_rules=inputs.get("deviceCgroupRules"),
        )

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
    """The outputs that the daemon can tell; of the inputs, those that others may have changed."""
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
        props["memory"] = host["Memory"] // _MIB
    if not live["State"]["Running"] and not live["State"]["Restarting"]:
        props["exitCode"] = live["State"]["ExitCode"]
    return props


def _restart_policy(inputs: Props) -> Props:
    policy = {"Name": inputs.get("restart", "no")}
    if policy["Name"] == "on-failure":
        policy["MaximumRetryCount"] = inputs.get("maxRetryCount", 0)
    return policy


def _endpoint(network: Props) -> Props:
    return {
        "aliases": network.get("aliases"),
        "ipv4_address": network.get("ipv4Address"),
        "ipv6_address": network.get("ipv6Address"),
    }


def _bind(volume: Props) -> str:
    source = volume.get("hostPath") or volume.get("volumeName")
    mode = ":ro" if volume.get("readOnly") else ""
    return f"{source}:{volume['containerPath']}{mode}" if source else volume["containerPath"]


def _mount(mount: Props) -> Any:
    types = cast("Any", docker.types)
    options, tmpfs = child(mount, "volumeOptions"), child(mount, "tmpfsOptions")
    driver = options.get("driverName")
    return types.Mount(
        mount["target"],
        mount.get("source"),
        type=mount["type"],
        read_only=mount.get("readOnly", False),
        propagation=child(mount, "bindOptions").get("propagation"),
        no_copy=options.get("noCopy", False),
        labels=pairs(items(options, "labels")) or None,
        driver_config=types.DriverConfig(driver, options.get("driverOptions")) if driver else None,
        tmpfs_size=tmpfs.get("sizeBytes"),
        tmpfs_mode=tmpfs.get("mode"),
    )


def _device(device: Props) -> str:
    host = device["hostPath"]
    return f"{host}:{device.get('containerPath', host)}:{device.get('permissions', 'rwm')}"


def _healthcheck(check: Props | None) -> Props | None:
    if not check:
        return None
    durations = {
        name: int(_nanoseconds(check[key]) or 0)
        for name, key in (
            ("interval", "interval"),
            ("timeout", "timeout"),
            ("start_period", "startPeriod"),
        )
        if check.get(key)
    }
    return {"test": check.get("tests"), "retries": check.get("retries", 0), **durations}


def _nanoseconds(duration: str) -> float | None:
    """Of a Go duration such as 1m30s; None if it is none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", duration)
    if not parts or "".join(map("".join, parts)) != duration:
        return 0.0 if duration == "0" else None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _bytes(mebibytes: int | None) -> int | None:
    return mebibytes * _MIB if mebibytes else None


def _swap(mebibytes: int | None) -> int | None:
    return mebibytes if mebibytes in (None, 0, -1) else mebibytes * _MIB


def _archive(upload: Props) -> bytes:
    if upload.get("contentBase64"):
        content = base64.b64decode(upload["contentBase64"])
    elif upload.get("source"):
        content = Path(upload["source"]).read_bytes()
    else:
        content = (upload.get("content") or "").encode()
    entry = tarfile.TarInfo(upload["file"].lstrip("/"))
    entry.size = len(content)
    default = "0744" if upload.get("executable") else "0644"
    entry.mode = int(upload.get("permissions") or default, 8)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
