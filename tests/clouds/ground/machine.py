"""A virtual machine made real: a container that boots systemd and runs the stack's cloud-init.

Its network is that of another container, which is the metadata service too and outlives a reboot.
"""

from pathlib import Path
from typing import Any

from tests import docker as parts
from tests.clouds.ground import Ground, Limits
from tests.clouds.ground.door import Route

_METADATA = "169.254.169.254"
_SEED = "/var/lib/cloud/seed/nocloud"
# As systemd needs them to boot in a container.
_RIGHTS: dict[str, Any] = {
    "cap_add": ["NET_ADMIN", "SYS_ADMIN"],
    "security_opt": ["apparmor=unconfined", "seccomp=unconfined"],
    "tmpfs": {"/run": "", "/run/lock": "", "/tmp": ""},
}


def start(
    ground: Ground,
    name: str,
    user_data: bytes,
    limits: Limits,
    *,
    metadata: Route,
    aliases: tuple[str, ...] = (),
) -> str:
    """Start a machine; returns its address. ``metadata`` answers at 169.254.169.254."""
    serve(ground, name, metadata)
    config = (
        f"{{\nadmin off\nauto_https off\n}}\nhttp://{_METADATA} {{\n"
        f"rewrite * /machine/{name}{{uri}}\nreverse_proxy {ground.door.address}\n}}\n"
    )
    metadata_folder = ground.files(f"{name}-metadata", {"Caddyfile": config.encode()})
    caddy = "caddy run --adapter caddyfile --config /metadata/Caddyfile"
    image = parts.part_image("vm")
    ground.run(
        f"{name}-metadata",
        image,
        ["sh", "-c", f"ip address add {_METADATA}/32 dev lo && exec {caddy}"],
        aliases=aliases,
        mounts={"/metadata": metadata_folder},
        # This machine's loopback, where the registry is.
        host_names={"ip6-localhost": ground.gateway},
        rights={"cap_add": ["NET_ADMIN"]},
    )
    seed = {"user-data": user_data, "meta-data": f"instance-id: {name}\n".encode()}
    ground.run(
        name,
        image,
        beside=f"{name}-metadata",
        mounts={_SEED: ground.files(name, seed), "/sys/fs/cgroup": Path("/sys/fs/cgroup")},
        limits=limits,
        rights=_RIGHTS,
    )
    return ground.address(f"{name}-metadata") or ""


def serve(ground: Ground, name: str, metadata: Route) -> None:
    """Answer a machine's questions, from this process on."""
    ground.door.routes[f"/machine/{name}"] = metadata


def end(ground: Ground, name: str) -> None:
    """Switch it off and remove it."""
    ground.stop(name)
    ground.remove(name, f"{name}-metadata")
    ground.door.routes.pop(f"/machine/{name}", None)
