"""A virtual machine emulated by a container that boots systemd and runs the stack's cloud-init.

Its interface is another container, whose network it has: that is the metadata service too, and
outlives a reboot.
"""

from pathlib import Path
from typing import Any

from infra.rehearsal.host.endpoint import Route
from infra.rehearsal.host.host import Host, Limits
from infra.rehearsal.system import daemon

_METADATA = "169.254.169.254"
_SEED = "/var/lib/cloud/seed/nocloud"
# As systemd needs them to boot in a container.
_RIGHTS: dict[str, Any] = {
    "cap_add": ["NET_ADMIN", "SYS_ADMIN"],
    "security_opt": ["apparmor=unconfined", "seccomp=unconfined"],
    "tmpfs": {"/run": "", "/run/lock": "", "/tmp": ""},  # noqa: S108 - in the container
}


def plug(host: Host, name: str, aliases: tuple[str, ...] = ()) -> str:
    """Make the interface of a machine that is started later; returns its address."""
    config = (
        f"{{\nadmin off\nauto_https off\n}}\nhttp://{_METADATA} {{\n"
        f"rewrite * /machine/{name}{{uri}}\nreverse_proxy {host.endpoint.address}\n}}\n"
    )
    caddy = "caddy run --adapter caddyfile --config /metadata/Caddyfile"
    host.run(
        _interface(name),
        daemon.built_image("vm"),
        ["sh", "-c", f"ip address add {_METADATA}/32 dev lo && exec {caddy}"],
        aliases=aliases,
        mounts={"/metadata": host.files(_interface(name), {"Caddyfile": config.encode()})},
        # This machine's loopback, where the registry is.
        host_names={"ip6-localhost": host.gateway},
        rights={"cap_add": ["NET_ADMIN"]},
    )
    return host.address(_interface(name)) or ""


def start(host: Host, name: str, user_data: bytes, limits: Limits, *, metadata: Route) -> None:
    """Start the machine at an interface; ``metadata`` answers it at 169.254.169.254."""
    host.endpoint.routes[f"/machine/{name}"] = metadata
    seed = {"user-data": user_data, "meta-data": f"instance-id: {name}\n".encode()}
    host.run(
        name,
        daemon.built_image("vm"),
        beside=_interface(name),
        mounts={_SEED: host.files(name, seed), "/sys/fs/cgroup": Path("/sys/fs/cgroup")},
        limits=limits,
        rights=_RIGHTS,
    )


def end(host: Host, name: str) -> None:
    """Switch the machine off and remove it."""
    host.stop(name)
    host.remove(name)
    host.endpoint.routes.pop(f"/machine/{name}", None)


def unplug(host: Host, name: str) -> None:
    """Remove the interface."""
    host.remove(_interface(name))


def _interface(name: str) -> str:
    return f"{name}-interface"
