"""The ground that a rehearsal cloud stands on: what makes its resources real on this machine.

A network of Docker in which each part has the very name that it has in the cloud, a certificate
authority that all of them trust, and a door where the cloud's own endpoints (identities, registry,
storage) ask whether a caller may do what it asks for.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors

from infra.rehearsal.docker.client import connect
from infra.rehearsal.host.authority import Authority
from infra.rehearsal.host.endpoint import Door
from infra.rehearsal.system import daemon as parts

_GIB = 1024**3
_GRACE_SECONDS = 30


@dataclass(frozen=True)
class Limits:
    """What a container may use at most; memory in GiB."""

    cpus: float
    memory: float


class Ground:
    """Of one cloud of one rehearsal; ``folder`` holds the files that its containers mount."""

    def __init__(self, cloud: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        named = folder / "name"
        if not named.exists():
            named.write_text(f"rehearsal-{cloud}-{secrets.token_hex(3)}")
        self.name, self.folder = named.read_text(), folder
        self.authority = Authority.kept()
        self._door: Door | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def _daemon(self) -> Any:
        parts.ensure_daemon()
        return connect("")

    @property
    def gateway(self) -> str:
        """This machine's address in the network, which is made where it is missing."""
        if not self._daemon.networks(names=[f"^{self.name}$"]):
            self._daemon.create_network(self.name)
        return str(self._daemon.inspect_network(self.name)["IPAM"]["Config"][0]["Gateway"])

    @property
    def door(self) -> Door:
        """Open at ``gateway`` while this process lives."""
        if self._door is None:
            self._door = Door(self.gateway)
        return self._door

    def container(self, name: str) -> str:
        """What Docker calls the container of a part."""
        return f"{self.name}-{name}"

    def run(
        self,
        name: str,
        image: str,
        command: Sequence[str] = (),
        *,
        aliases: Sequence[str] = (),
        beside: str | None = None,
        environment: Mapping[str, str] | None = None,
        mounts: Mapping[str, Path] | None = None,
        entrypoint: Sequence[str] | None = None,
        limits: Limits | None = None,
        healthcheck: Mapping[str, Any] | None = None,
        restart: str = "always",
        host_names: Mapping[str, str] | None = None,
        rights: Mapping[str, Any] | None = None,
    ) -> None:
        """Start a container under ``aliases`` in the network, or in the namespace of ``beside``.

        ``mounts`` are folders of this machine by where they are mounted, ``host_names`` addresses
        by name, and ``rights`` are more of the daemon's host configuration.
        """
        daemon, gateway = self._daemon, self.gateway
        mode = f"container:{self.container(beside)}" if beside else self.name
        host = daemon.create_host_config(
            network_mode=mode,
            restart_policy={"Name": restart},
            binds=[f"{source}:{target}" for target, source in (mounts or {}).items()],
            mem_limit=int(limits.memory * _GIB) if limits else None,
            # A cloud's machine may have more than this one.
            nano_cpus=int(min(limits.cpus, os.cpu_count() or 1) * 1e9) if limits else None,
            extra_hosts=None if beside else {"door.rehearsal": gateway, **(host_names or {})},
            **(rights or {}),
        )
        networking = None
        if not beside:
            endpoint = daemon.create_endpoint_config(aliases=list(aliases))
            networking = daemon.create_networking_config({self.name: endpoint})
        self._remove(name)
        made = daemon.create_container(
            image,
            list(command) or None,
            name=self.container(name),
            environment=dict(environment or {}),
            host_config=host,
            networking_config=networking,
            entrypoint=list(entrypoint) if entrypoint else None,
            healthcheck=dict(healthcheck) if healthcheck else None,
        )
        daemon.start(made["Id"])

    def endpoint(self, name: str, host: str, route: str) -> None:
        """Serve a route of the door over TLS at the very name that it has in the cloud.

        What was asked for comes along in X-Forwarded-Uri.
        """
        chain, key = self.authority.issue(host)
        config = (
            "{\nadmin off\nauto_https off\nskip_install_trust\n}\n"
            f"https://{host} {{\ntls /front/tls.pem /front/tls.key\nrewrite * {route}\n"
            f"reverse_proxy {self.door.address} {{\n"
            "header_up X-Forwarded-Uri {http.request.orig_uri}\n}\n}\n"
        )
        files = {"tls.pem": chain, "tls.key": key, "Caddyfile": config.encode()}
        run = ["caddy", "run", "--adapter", "caddyfile", "--config", "/front/Caddyfile"]
        image, folder = parts.part_image("front"), self.files(name, files)
        self.run(name, image, run, aliases=[host], mounts={"/front": folder})

    def inspect(self, name: str) -> dict[str, Any] | None:
        """What the daemon says of a part's container; None where there is none."""
        try:
            return self._daemon.inspect_container(self.container(name))
        except docker.errors.NotFound:
            return None

    def address(self, name: str) -> str | None:
        """A container's address in the network."""
        networks = (self.inspect(name) or {}).get("NetworkSettings", {}).get("Networks", {})
        return networks.get(self.name, {}).get("IPAddress") or None

    def execute(self, name: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command in a part's container: exit code, and what it said."""
        daemon = self._daemon
        made = daemon.exec_create(self.container(name), list(command))
        said = daemon.exec_start(made["Id"])
        return int(daemon.exec_inspect(made["Id"])["ExitCode"]), said.decode(errors="replace")

    def stop(self, *names: str) -> None:
        """Ask parts to end what they are at, as a platform does before it removes them."""
        for name in names:
            if self.inspect(name):
                self._daemon.stop(self.container(name), timeout=_GRACE_SECONDS)

    def restart(self, name: str) -> None:
        """Let a part end and start again, as a reboot does."""
        self._daemon.restart(self.container(name), timeout=_GRACE_SECONDS)

    def wait(self, name: str) -> int:
        """Wait for the end of a part's container; returns its exit code."""
        return int(self._daemon.wait(self.container(name))["StatusCode"])

    def files(self, name: str, contents: Mapping[str, bytes]) -> Path:
        """A folder with these files, that any user of a container can read."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in contents.items():
            (folder / file).write_bytes(content)
            (folder / file).chmod(0o444)
        return folder

    def process(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start a process of this machine that ends with this one, unless it runs."""
        if name not in self._processes:
            with (self.folder / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    command, stdout=log, stderr=log, env={**os.environ, **(environment or {})}
                )
        return self._processes[name]

    def end(self, name: str) -> None:
        """End a process of ``process``."""
        process = self._processes.pop(name, None)
        if process:
            process.terminate()
            process.wait(30)

    def remove(self, *names: str) -> None:
        """Remove parts' containers with their files, and the network with the last one."""
        for name in names:
            self._remove(name)
            shutil.rmtree(self.folder / name, ignore_errors=True)
        try:
            self._daemon.remove_network(self.name)
        except docker.errors.APIError:
            return  # not the last one, or gone
        if self._door:
            self._door.close()
            self._door = None

    def _remove(self, name: str) -> None:
        try:
            self._daemon.remove_container(self.container(name), v=True, force=True)
        except docker.errors.NotFound:
            return

    def forget_images(self, server: str) -> None:
        """Take the names of a registry's images from the daemon; what they were built of stays."""
        for image in self._daemon.images(filters={"reference": f"{server}/*"}):
            for name in (*(image["RepoTags"] or ()), *(image["RepoDigests"] or ())):
                # With the last tag of an image, its digest goes too.
                if name.startswith(server) and self._knows(name):
                    self._daemon.remove_image(name, noprune=True)

    def _knows(self, image: str) -> bool:
        try:
            self._daemon.inspect_image(image)
        except docker.errors.APIError:
            return False
        return True

    def sweep(self) -> None:
        """Remove what a failed rehearsal left of this ground."""
        for found in self._daemon.containers(all=True, filters={"name": f"{self.name}-"}):
            self._daemon.remove_container(found["Id"], v=True, force=True)
        self.remove()

    def close(self) -> None:
        """End what lives with this process; containers stay until they are removed."""
        for name in list(self._processes):
            self.end(name)
        if self._door:
            self._door.close()
            self._door = None
