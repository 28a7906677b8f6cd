"""The inputs of a container as arguments of the daemon's API."""

import base64
import io
import re
import tarfile
from pathlib import Path
from typing import Any, cast

import docker.types

from infra.rehearsal.docker.client import pairs
from infra.rehearsal.provider.values import Props, child, items

_UNITS = {"ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}
MIB = 1024 * 1024


def host_config(daemon: Any, inputs: Props) -> Any:
    """How a container runs on its host: mounts, ports, limits, rights."""
    types = cast("Any", docker.types)
    log_driver = inputs.get("logDriver")
    capabilities = child(inputs, "capabilities")
    ports: dict[str, list[tuple[str, int | None]]] = {}
    for port in items(inputs, "ports"):
        inside = f"{port['internal']}/{port.get('protocol', 'tcp')}"
        # As Docker does where no address is given.
        outside = (port.get("ip", "0.0.0.0"), port.get("external"))  # noqa: S104
        ports.setdefault(inside, []).append(outside)
    volumes = items(inputs, "volumes")
    return daemon.create_host_config(
        binds=[_bind(volume) for volume in volumes if not volume.get("fromContainer")],
        volumes_from=[v["fromContainer"] for v in volumes if v.get("fromContainer")] or None,
        mounts=[_mount(mount) for mount in items(inputs, "mounts")],
        port_bindings=ports,
        publish_all_ports=inputs.get("publishAllPorts", False),
        restart_policy=restart_policy(inputs),
        auto_remove=inputs.get("rm", False),
        read_only=inputs.get("readOnly", False),
        privileged=inputs.get("privileged", False),
        cap_add=capabilities.get("adds"),
        cap_drop=capabilities.get("drops"),
        security_opt=inputs.get("securityOpts"),
        mem_limit=_bytes(inputs.get("memory")),
        mem_reservation=_bytes(inputs.get("memoryReservation")),
        memswap_limit=swap(inputs.get("memorySwap")),
        shm_size=_bytes(inputs.get("shmSize")),
        nano_cpus=int(float(inputs["cpus"]) * 1e9) if inputs.get("cpus") else None,
        cpu_shares=inputs.get("cpuShares"),
        cpuset_cpus=inputs.get("cpuSet"),
        cpu_period=inputs.get("cpuPeriod"),
        cpu_quota=inputs.get("cpuQuota"),
        network_mode=inputs.get("networkMode", "bridge"),
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


def restart_policy(inputs: Props) -> Props:
    policy = {"Name": inputs.get("restart", "no")}
    if policy["Name"] == "on-failure":
        policy["MaximumRetryCount"] = inputs.get("maxRetryCount", 0)
    return policy


def endpoint(network: Props) -> Props:
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


def healthcheck(check: Props | None) -> Props | None:
    if not check:
        return None
    durations = {
        name: int(nanoseconds(check[key]) or 0)
        for name, key in (
            ("interval", "interval"),
            ("timeout", "timeout"),
            ("start_period", "startPeriod"),
        )
        if check.get(key)
    }
    return {"test": check.get("tests"), "retries": check.get("retries", 0), **durations}


def nanoseconds(duration: str) -> float | None:
    """Of a Go duration such as 1m30s; None if it is none."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", duration)
    if not parts or "".join(map("".join, parts)) != duration:
        return 0.0 if duration == "0" else None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _bytes(mebibytes: int | None) -> int | None:
    return mebibytes * MIB if mebibytes else None


def swap(mebibytes: int | None) -> int | None:
    return mebibytes if mebibytes in (None, 0, -1) else mebibytes * MIB


def archive(upload: Props) -> bytes:
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
