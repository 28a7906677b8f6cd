"""A virtual machine made real: a container that boots systemd and runs the stack's cloud-init.

Its interface is another container, whose network it has: that is the metadata service too, and
outlives a reboot.
"""

from pathlib import Path
from typing import Any

from infra.rehearsal.host.endpoint import Route
from infra.rehearsal.host.host import Ground, Limits
from infra.rehearsal.system import daemon as parts

_METADATA = "169.254.169.254"
_SEED = "/var/lib/cloud/seed/nocloud"
# As systemd needs them to boot in a container.
_RIGHTS: dict[str, Any] = {
    "cap_add": ["NET_ADMIN", "SYS_ADMIN"],
    "security_opt": ["apparmor=unconfined", "seccomp=unconfined"],
    "tmpfs": {"/run": "", "/run/lock": "", "/tmp": ""},
}


def plug(ground: Ground, name: str, aliases: tuple[str, ...] = ()) -> str:
    """Make the interface of a machine that is started later; returns its address."""
    config = (
        f"{{\nadmin off\nauto_https off\n}}\nhttp://{_METADATA} {{\n"
        f"rewrite * /machine/{name}{{uri}}\nreverse_proxy {ground.door.address}\n}}\n"
    )
    caddy = "caddy run --adapter caddyfile --config /metadata/Caddyfile"
    ground.run(
        _interface(name),
        parts.part_image("vm"),
        ["sh", "-c", f"ip address add {_METADATA}/32 dev lo && exec {caddy}"],
        aliases=aliases,
        mounts={"/metadata": ground.files(_interface(name), {"Caddyfile": config.encode()})},
        # This machine's loopback, where the registry is.
        host_names={"ip6-localhost": ground.gateway},
        rights={"cap_add": ["NET_ADMIN"]},
    )
    return ground.address(_interface(name)) or ""


def start(ground: Ground, name: str, user_data: bytes, limits: Limits, *, metadata: Route) -> None:
    """Start the machine at an interface; ``metadata`` answers it at 169.254.169.254."""
    ground.door.routes[f"/machine/{name}"] = metadata
    seed = {"user-data": user_data, "meta-data": f"instance-id: {name}\n".encode()}
    ground.run(
        name,
        parts.part_image("vm"),
        beside=_interface(name),
        mounts={_SEED: ground.files(name, seed), "/sys/fs/cgroup": Path("/sys/fs/cgroup")},
        limits=limits,
        rights=_RIGHTS,
    )


def end(ground: Ground, name: str) -> None:
    """Switch the machine off and remove it."""
    ground.stop(name)
    ground.remove(name)
    ground.door.routes.pop(f"/machine/{name}", None)


def unplug(ground: Ground, name: str) -> None:
    """Remove the interface."""
    ground.remove(_interface(name))


def _interface(name: str) -> str:
    return f"{name}-interface"
