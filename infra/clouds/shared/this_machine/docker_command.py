"""The docker command of this machine: what the provider cannot be asked."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from runtime.errors import UserError

_TIMEOUT_SECONDS = 60
_SOCKET = Path("/var/run/docker.sock")
# How `docker ps` tells a port that is published at every address.
_EVERYWHERE = ("0.0.0.0", "[::]", "::")  # noqa: S104 - read, not bound


class DockerError(UserError, RuntimeError):
    """There is no such command, or the daemon does not answer it."""


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment in which the command asks the daemon that the provider has.

    The provider knows no contexts: it takes DOCKER_HOST, else the socket of this machine.
    """
    found = dict(os.environ if given is None else given)
    if not found.get("DOCKER_HOST") and _SOCKET.exists():
        found |= {"DOCKER_CONTEXT": "default"}
    return found


def run(
    *arguments: str,
    timeout: float = _TIMEOUT_SECONDS,
    in_context: bool = False,
    variables: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run it to its end; raises DockerError where there is no such command, or no answer.

    ``in_context`` leaves the choice of the daemon to the command; ``variables`` are more of its
    environment.
    """
    try:
        return subprocess.run(
            ["docker", *arguments],
            env=({**os.environ} if in_context else environment()) | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
        )
    except FileNotFoundError:
        raise DockerError("the command docker is not on PATH; install Docker's client") from None
    except subprocess.TimeoutExpired:
        raise DockerError(f"Docker does not answer in {timeout:g} s") from None


def inspect(container: str) -> Mapping[str, Any] | None:
    """What the daemon knows of a container, None where there is none.

    Raises DockerError where the daemon does not answer.
    """
    done = run("container", "inspect", container)
    if done.returncode == 0:
        return cast("Mapping[str, Any]", json.loads(done.stdout)[0])
    if "no such container" in done.stderr.lower():
        return None
    raise DockerError(done.stderr.strip())


def has_volume(name: str) -> bool:
    """Whether the daemon has a volume. Raises DockerError where it does not answer."""
    done = run("volume", "inspect", name)
    if done.returncode and "no such volume" not in done.stderr.lower():
        raise DockerError(done.stderr.strip())
    return done.returncode == 0


def has_image(reference: str) -> bool:
    """Whether the daemon has an image, by name, digest or ID."""
    return run("image", "inspect", "--format", "{{.Id}}", reference).returncode == 0


def last_lines(container: str, count: int) -> str:
    """What a container said last, on both of its streams."""
    done = run("logs", "--tail", str(count), container)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return "\n".join(lines[-count:])


def publishers(port: int, address: str) -> list[str]:
    """The names of the containers that hold a port of the daemon's machine at an address of it;
    none where it does not answer.
    """
    try:
        done = run("ps", "--filter", f"publish={port}", "--format", "{{.Names}}\t{{.Ports}}")
    except DockerError:
        return []
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    rows = [line.partition("\t") for line in lines]
    return [name for name, _, ports in rows if publishes(ports, port, address)]


def publishes(ports: str, port: int, address: str) -> bool:
    """Whether ports as `docker ps` tells them, as ``127.0.0.1:5000-5001->443-444/tcp``, take one
    that is to be published at ``address``. Pure.
    """
    hosts: set[str] = set()
    for way in ports.split(", "):
        published, arrow, target = way.partition("->")
        host, _, numbers = published.rpartition(":")
        first, _, last = numbers.partition("-")
        if arrow and target.endswith("/tcp") and int(first) <= port <= int(last or first):
            hosts.add(host)
    return bool(hosts) and (address in _EVERYWHERE or bool(hosts & {address, *_EVERYWHERE}))


def named(start: str) -> list[str]:
    """The containers, running or not, whose names are ``start`` and a part of a stack.

    Raises DockerError where the daemon does not answer.
    """
    parts = f"^/?{re.escape(start)}-(server|scheduler|front|database)$"
    done = run("ps", "--all", "--filter", f"name={parts}", "--format", "{{.Names}}")
    if done.returncode:
        raise DockerError(done.stderr.strip())
    return sorted(done.stdout.split())
