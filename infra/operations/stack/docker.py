"""The Docker daemon of a stack, looked at before the engine is started."""

import http.client
import json
import os
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import click

from infra.clouds.shared.this_machine import docker_command
from infra.operations.stack import Resource, Stack
from infra.operations.stack.findings import names_of
from infra.place import ROOT
from infra.plan import Plan
from infra.plan.docker import DockerPlan, name_of
from infra.settings import LocalContainer, Settings
from infra.settings.image import ImageKeys
from runtime.errors import UserError

_SOCKET = "unix:///var/run/docker.sock"
_PREFIXES = ("docker:", "pulumi:providers:docker")
_TIMEOUT_SECONDS = 10
_BUILD_SECONDS = 3600
_LINES = 20
_PROGRAM = ROOT / "infra"


class _Ping(http.client.HTTPConnection):
    """To a daemon's socket, or to its port."""

    def __init__(self, address: str) -> None:
        self._url = urlsplit(address)
        super().__init__(self._url.hostname or "localhost", timeout=_TIMEOUT_SECONDS)

    def connect(self) -> None:
        if self._url.scheme == "unix":
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(_TIMEOUT_SECONDS)
            self.sock.connect(self._url.path)
        else:
            to = (self._url.hostname or "localhost", self._url.port or 2375)
            self.sock = socket.create_connection(to, _TIMEOUT_SECONDS)


def answers(address: str) -> bool:
    """Whether a daemon answers; True where it is not reached by plain HTTP, and cannot be told."""
    if urlsplit(address).scheme not in ("unix", "tcp", "http") or os.environ.get(
        "DOCKER_TLS_VERIFY"
    ):
        return True
    connection = _Ping(address)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def address() -> str:
    """Where the provider finds the daemon: DOCKER_HOST, which is set here to that of the `docker
    context` in use, with its certificates, since the provider knows no contexts; else this
    machine's socket.
    """
    if given := os.environ.get("DOCKER_HOST"):
        return given
    variables = of_context(_context())
    host = variables.get("DOCKER_HOST") or _SOCKET
    if host != _SOCKET:
        os.environ.update(variables)
    return host


def _context() -> Mapping[str, Any]:
    """What the command knows of the context in use; nothing without the command."""
    try:
        done = docker_command.run("context", "inspect", in_context=True)
    except docker_command.DockerError:
        return {}
    found = cast("list[dict[str, Any]]", json.loads(done.stdout)) if not done.returncode else []
    return found[0] if found else {}


def of_context(inspected: Mapping[str, Any]) -> dict[str, str]:
    """The variables that lead where a context of `docker context inspect` does. Pure.

    https://docs.docker.com/reference/cli/docker/#environment-variables
    """
    endpoint = inspected.get("Endpoints", {}).get("docker", {})
    if not (host := str(endpoint.get("Host", ""))):
        return {}
    found = {"DOCKER_HOST": host}
    if inspected.get("TLSMaterial", {}).get("docker"):
        found["DOCKER_CERT_PATH"] = f"{inspected['Storage']['TLSPath']}/docker"
        if not endpoint.get("SkipTLSVerify"):
            found["DOCKER_TLS_VERIFY"] = "1"
    return found


def needed(settings: Settings | None, state: Sequence[Resource]) -> bool:
    """Whether an engine's command on the stack starts a provider that asks the daemon. Pure."""
    if any(resource.type.startswith("docker:") for resource in state):
        return True
    if isinstance(settings, LocalContainer):
        return True
    builds = isinstance(settings, ImageKeys) and not settings.image
    return builds and getattr(settings, "image_build", "docker") == "docker"


def require(settings: Settings | None, state: Sequence[Resource]) -> None:
    """Raise UserError where the stack needs a daemon, and none answers."""
    if needed(settings, state) and not answers(where := address()):
        raise UserError(
            f"Docker does not answer at {where}, and this stack needs it; start it, or set "
            "DOCKER_HOST (`docker info` must work); nothing was changed"
        )


def forget(stack: Stack, state: Sequence[Resource]) -> None:
    """Take images out of a cloud's stack that goes, where no daemon answers: they stay where they
    are in any case, and the engine would ask the daemon.
    """
    mine = [one for one in state if one.type.startswith("docker:")]
    only_images = all(one.type == "docker:index/image:Image" for one in mine)
    if mine and only_images and not answers(address()):
        names = ", ".join(one.name for one in mine)
        click.echo(f"down: Docker does not answer; it is not asked about {names}", err=True)
        stack.put_state(without_docker(stack.state()))


def without_docker(exported: Mapping[str, Any]) -> dict[str, Any]:
    """A state without what Docker's provider made, itself, and all mention of them. Pure."""
    deployment = dict(cast("Mapping[str, Any]", exported["deployment"]))
    resources = cast("list[dict[str, Any]]", deployment.get("resources") or [])
    gone = {one["urn"] for one in resources if str(one["type"]).startswith(_PREFIXES)}
    deployment["resources"] = [_without(one, gone) for one in resources if one["urn"] not in gone]
    return {**exported, "deployment": deployment}


def _without(resource: Mapping[str, Any], gone: set[str]) -> dict[str, Any]:
    left = dict(resource)
    if "dependencies" in left:
        left["dependencies"] = [urn for urn in left["dependencies"] or () if urn not in gone]
    by_property = cast("Mapping[str, Sequence[str] | None]", left.get("propertyDependencies") or {})
    if by_property:
        left["propertyDependencies"] = {
            name: [urn for urn in urns or () if urn not in gone]
            for name, urns in by_property.items()
        }
    return left


def _is_volume(one: Resource) -> bool:
    return one.type == "docker:index/volume:Volume"


def require_name(stack: str, settings: Settings, state: Sequence[Resource]) -> None:
    """Raise UserError where the stack is not up, and containers of its name are all the same.

    They are of a stack of that name in another folder, mostly: with its volumes, which this one
    would take for its own.
    """
    mine = any(one.type == "docker:index/container:Container" for one in state)
    if mine or not isinstance(settings, LocalContainer):
        return
    if others := docker_command.named(name_of(stack)):
        raise UserError(
            f"the containers {', '.join(others)} are there, and {stack} is not up from here: a "
            "stack of that name is, from another folder or with another state. Go on from there, "
            f"or give this one another name; where they are nobody's, docker rm --force "
            f"{' '.join(others)} removes them and leaves their volumes, which {stack} then takes"
        )


def require_password(plan: Plan, state: Sequence[Resource]) -> None:
    """Raise UserError where the stack would take a database's volume, but lacks its password."""
    if not isinstance(plan, DockerPlan) or not plan.database_image or any(map(_is_volume, state)):
        return
    volume, folder = f"{plan.name}-database", Path(plan.secrets_dir)
    if not (folder / "database_password").exists() and docker_command.has_volume(volume):
        raise UserError(
            f"the volume {volume} is there, and what opens its database is not in {folder}: it is "
            "of a stack of that name in another folder, mostly. Go on from there, or give this one "
            "another name; where it is nobody's, docker volume rm removes it, with its data"
        )


def require_data(state: Sequence[Resource], allowed: Collection[str] = ()) -> frozenset[str]:
    """What of ``allowed``, which names what may be lost, is of volumes that the daemon lacks.

    Raises UserError where it lacks another that holds the stack's data: a refresh would drop it
    from the state, and the engine would begin with an empty one. Mostly it is another daemon, by
    DOCKER_HOST or `docker context`.
    """
    gone = [
        one
        for one in state
        if _is_volume(one) and one.holds_data
        if not docker_command.has_volume(str(one.inputs["name"]))
    ]
    if missing := [one for one in gone if names_of(one).isdisjoint(allowed)]:
        names = ", ".join(str(one.inputs["name"]) for one in missing)
        ways = ",".join(f"replace:{one.name}" for one in missing)
        raise UserError(
            f"Docker at {address()} does not have the volumes {names}, which hold this stack's "
            "data: go back to the daemon that has them (DOCKER_HOST, docker context use); where "
            f"they are gone for good, DATA={ways} begins with empty ones"
        )
    return frozenset(allowed) & {name for one in gone for name in names_of(one)}


def taken_networks(state: Sequence[Resource]) -> list[tuple[Resource, Mapping[str, Any]]]:
    """Containers, each with a network that somebody took from it: the provider does not look."""
    found: list[tuple[Resource, Mapping[str, Any]]] = []
    for one in state:
        if one.type == "docker:index/container:Container":
            inspected = docker_command.inspect(str(one.inputs["name"]))
            networks = missing_networks(one.inputs, inspected) if inspected else ()
            found += [(one, network) for network in networks]
    return found


def reconnect(state: Sequence[Resource]) -> None:
    """Give containers back the networks that somebody took from them.

    Raises UserError where the daemon refuses it.
    """
    for one, network in taken_networks(state):
        name = str(one.inputs["name"])
        aliases = [f"--alias={alias}" for alias in network.get("aliases") or ()]
        done = docker_command.run("network", "connect", *aliases, str(network["name"]), name)
        if "not found" in done.stderr:
            # The network is gone too: the engine makes it again, and the container in it.
            continue
        if done.returncode:
            raise UserError(f"docker network connect {network['name']} {name}: {done.stderr}")
        click.echo(f"{name} is in the network {network['name']} again", err=True)


def missing_networks(
    inputs: Mapping[str, Any], inspected: Mapping[str, Any]
) -> list[Mapping[str, Any]]:
    """Of a container's networks those that it is not in. Pure."""
    wanted = cast("list[Mapping[str, Any]]", inputs.get("networksAdvanced") or [])
    networks: Mapping[str, Any] = inspected["NetworkSettings"]["Networks"] or {}
    return [network for network in wanted if network["name"] not in networks]


def failed_builds(events: Iterable[str]) -> list[Mapping[str, Any]]:
    """The inputs of images that an update could not build; ``events`` are the lines of its event
    log. Pure.
    """
    found: list[Mapping[str, Any]] = []
    for event in map(json.loads, events):
        step: Mapping[str, Any] = event.get("resOpFailedEvent", {}).get("metadata") or {}
        if step.get("type") == "docker:index/image:Image":
            new: Mapping[str, Any] = step.get("new") or {}
            found.append(new.get("inputs") or {})
    return found


def told(image: Mapping[str, Any]) -> str:
    """What the build of an image says last: the provider keeps it to itself.

    The build is run once more; what went well of it comes from the builder's cache.
    """
    build: Mapping[str, Any] = image.get("build") or {}
    arguments: Mapping[str, str] = build.get("args") or {}
    words = [f"--build-arg={name}={value}" for name, value in sorted(arguments.items())]
    words += [f"--platform={build['platform']}"] if build.get("platform") else []
    # Paths begin where the engine starts the provider.
    command = ["build", *words]
    command += [f"--file={_PROGRAM / build['dockerfile']}", str(_PROGRAM / build["context"])]
    try:
        # Also where the client has no BuildKit, and would not know an option for it.
        plain = {"BUILDKIT_PROGRESS": "plain"}
        done = docker_command.run(*command, timeout=_BUILD_SECONDS, variables=plain)
    except docker_command.DockerError as error:
        return f"the build cannot be looked at: {error}"
    if done.returncode == 0:
        return "run again, the build went well; run `make up` again"
    lines = (done.stdout + done.stderr).strip().splitlines()[-_LINES:]
    return "\n".join(["the build of the image failed; the last that it said:", *lines])


def pruned(state: Sequence[Resource]) -> list[str]:
    """The URNs of images that were built, are in no registry, and are no longer in the daemon."""
    return [
        one.urn
        for one in state
        if one.type == "docker:index/image:Image"
        and one.inputs.get("skipPush")
        and not docker_command.has_image(str(one.inputs["imageName"]))
    ]
