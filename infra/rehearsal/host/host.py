"""The host of a rehearsed cloud: runs its resources on this machine.

A Docker network in which each container has the name that it has in the cloud, a certificate
authority that all of them trust, and an endpoint that fakes the cloud's own APIs (identities,
registry, storage) and decides what each caller may do.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors

from infra.rehearsal.docker.client import connect
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.host.authority import Authority
from infra.rehearsal.host.endpoint import Endpoint
from infra.rehearsal.system import daemon
from infra.rehearsal.system.waiting import wait_for

_GIB = 1024**3
_GRACE_SECONDS = 30


@contextmanager
def _docker_errors() -> "Generator[None]":
    """What the daemon refuses, as a RehearsalError in its words."""
    try:
        yield
    except docker.errors.DockerException as error:
        explanation = getattr(error, "explanation", None) or error
        raise RehearsalError(f"error response from the Docker daemon: {explanation}") from None


@dataclass(frozen=True)
class Limits:
    """What a container may use at most; memory in GiB."""

    cpus: float
    memory: float


class Host:
    """The host of one rehearsed cloud; ``folder`` holds the files that its containers mount."""

    def __init__(self, cloud: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        named = folder / "name"
        if not named.exists():
            named.write_text(f"rehearsal-{cloud}-{secrets.token_hex(3)}")
        self.name, self.folder = named.read_text(), folder
        self.authority = Authority.load()
        self._endpoint: Endpoint | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def _client(self) -> Any:
        daemon.ensure_daemon()
        return connect("")

    @property
    @_docker_errors()
    def gateway(self) -> str:
        """This machine's address in the network, which is made where it is missing."""
        if not self._client.networks(names=[f"^{self.name}$"]):
            self._client.create_network(self.name)
        return str(self._client.inspect_network(self.name)["IPAM"]["Config"][0]["Gateway"])

    @property
    def endpoint(self) -> Endpoint:
        """The fake API endpoint, which listens on ``gateway`` while this process lives."""
        if self._endpoint is None:
            self._endpoint = Endpoint(self.gateway)
        return self._endpoint

    def container(self, name: str) -> str:
        """What Docker calls a container."""
        return f"{self.name}-{name}"

    @_docker_errors()
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
        client, gateway = self._client, self.gateway
        mode = f"container:{self.container(beside)}" if beside else self.name
        host_config = client.create_host_config(
            network_mode=mode,
            restart_policy={"Name": restart},
            binds=[f"{source}:{target}" for target, source in (mounts or {}).items()],
            mem_limit=int(limits.memory * _GIB) if limits else None,
            # A cloud's machine may have more than this one.
            nano_cpus=int(min(limits.cpus, os.cpu_count() or 1) * 1e9) if limits else None,
            extra_hosts=None if beside else {"endpoint.rehearsal": gateway, **(host_names or {})},
            **(rights or {}),
        )
        networking = None
        if not beside:
            endpoint_config = client.create_endpoint_config(aliases=list(aliases))
            networking = client.create_networking_config({self.name: endpoint_config})
        self._remove(name)
        made = client.create_container(
            image,
            list(command) or None,
            name=self.container(name),
            environment=dict(environment or {}),
            host_config=host_config,
            networking_config=networking,
            entrypoint=list(entrypoint) if entrypoint else None,
            healthcheck=dict(healthcheck) if healthcheck else None,
        )
        client.start(made["Id"])

    def publish(self, name: str, hostname: str, route: str) -> None:
        """Serve a route of the endpoint over TLS at the name that it has in the cloud.

        The requested path and query come along in X-Forwarded-Uri.
        """
        chain, key = self.authority.issue(hostname)
        config = (
            "{\nadmin off\nauto_https off\nskip_install_trust\n}\n"
            f"https://{hostname} {{\ntls /proxy/tls.pem /proxy/tls.key\nrewrite * {route}\n"
            f"reverse_proxy {self.endpoint.address} {{\n"
            "header_up X-Forwarded-Uri {http.request.orig_uri}\n}\n}\n"
        )
        files = {"tls.pem": chain, "tls.key": key, "Caddyfile": config.encode()}
        run = ["caddy", "run", "--adapter", "caddyfile", "--config", "/proxy/Caddyfile"]
        image, folder = daemon.built_image("proxy"), self.files(name, files)
        self.run(name, image, run, aliases=[hostname], mounts={"/proxy": folder})

    def inspect(self, name: str) -> dict[str, Any] | None:
        """What the daemon knows of a container; None where there is none."""
        try:
            return self._client.inspect_container(self.container(name))
        except docker.errors.NotFound:
            return None

    def address(self, name: str) -> str | None:
        """A container's address in the network."""
        networks = (self.inspect(name) or {}).get("NetworkSettings", {}).get("Networks", {})
        return networks.get(self.name, {}).get("IPAddress") or None

    @_docker_errors()
    def execute(self, name: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command in a container: exit code and output."""
        client = self._client
        made = client.exec_create(self.container(name), list(command))
        said = client.exec_start(made["Id"])
        return int(client.exec_inspect(made["Id"])["ExitCode"]), said.decode(errors="replace")

    @_docker_errors()
    def stop(self, *names: str) -> None:
        """Stop containers with a grace period, as a platform does before it removes them."""
        for name in names:
            if self.inspect(name):
                self._client.stop(self.container(name), timeout=_GRACE_SECONDS)

    @_docker_errors()
    def restart(self, name: str) -> None:
        """Stop a container and start it again, as a reboot does."""
        self._client.restart(self.container(name), timeout=_GRACE_SECONDS)

    @_docker_errors()
    def wait(self, name: str) -> int:
        """Wait for the end of a container; returns its exit code."""
        return int(self._client.wait(self.container(name))["StatusCode"])

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

    def wait_for_process(
        self, name: str, condition: Callable[[], object], seconds: float = 60
    ) -> None:
        """Wait until ``condition`` is true of a process that ``process`` has started.

        Raises RehearsalError, with the process's last words, where it ends before.
        """

        def is_done() -> bool:
            code = self._processes[name].poll()
            if code is not None:
                lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
                raise RehearsalError(f"{name} ended with {code}: {' '.join(lines[-1:])}")
            return bool(condition())

        wait_for(is_done, name, seconds)

    def end(self, name: str) -> None:
        """Terminate a process that ``process`` has started."""
        process = self._processes.pop(name, None)
        if process:
            process.terminate()
            process.wait(30)

    @_docker_errors()
    def remove(self, *names: str) -> None:
        """Remove containers with their files, and the network with the last one."""
        for name in names:
            self._remove(name)
            shutil.rmtree(self.folder / name, ignore_errors=True)
        try:
            self._client.remove_network(self.name)
        except docker.errors.APIError:
            return  # not the last one, or gone
        if self._endpoint:
            self._endpoint.close()
            self._endpoint = None

    def _remove(self, name: str) -> None:
        try:
            self._client.remove_container(self.container(name), v=True, force=True)
        except docker.errors.NotFound:
            return

    @_docker_errors()
    def log(self, since: int, *names: str) -> list[str]:
        """What those of these containers that are there have written, by either stream, since a
        second (Unix, UTC).
        """
        there = [name for name in names if self.inspect(name)]
        written = [self._client.logs(self.container(name), since=since) for name in there]
        return b"\n".join(written).decode(errors="replace").splitlines()

    @_docker_errors()
    def sweep(self) -> None:
        """Remove what a failed rehearsal left on this host."""
        for found in self._containers():
            self._client.remove_container(found["Id"], v=True, force=True)
        self.remove()

    def _containers(self) -> list[dict[str, Any]]:
        return self._client.containers(all=True, filters={"name": f"{self.name}-"})

    def close(self) -> None:
        """End what lives with this process; containers stay until they are removed."""
        for name in list(self._processes):
            self.end(name)
        if self._endpoint:
            self._endpoint.close()
            self._endpoint = None
