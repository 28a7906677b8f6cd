"""The Docker daemon, as the provider's configuration names it."""

import functools
import json
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, cast

import docker
import docker.errors

from infra.clouds.shared.registry import login_of_docker
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.resource import Call, Function, Resource
from infra.rehearsal.provider.values import Props

Credentials = dict[str, str]
_BUILD_SECONDS = 3600


@functools.cache
def connect(host: str) -> Any:
    """The low-level client of a daemon, by default that of the environment."""
    if host:
        return cast("Any", docker).APIClient(base_url=host, timeout=_BUILD_SECONDS)
    return cast("Any", docker).from_env(timeout=_BUILD_SECONDS).api


@contextmanager
def refusals() -> "Generator[None]":
    """Turn what the daemon refuses into what the provider reports."""
    try:
        yield
    except docker.errors.DockerException as error:
        explanation = getattr(error, "explanation", None) or error
        raise CloudError("Docker", f"Error response from daemon: {explanation}") from None


def found(inspect: Any, name: str) -> Any:
    """The result of an inspect method, or None where the daemon has no such object."""
    try:
        return inspect(name)
    except docker.errors.NotFound:
        return None


class OnDaemon:
    """What resources and functions of this provider share."""

    call: Call

    @property
    def daemon(self) -> Any:
        return connect(self.call.config.get("host") or "")

    def credentials(self, image: str, registry: Props | None = None) -> Credentials | None:
        """User and password for an image's registry: its own, else from the provider's settings."""
        server = image.split("/")[0]
        for entry in [registry or {}, *_structured(self.call.config.get("registryAuth"))]:
            address = str(entry.get("server") or entry.get("address") or "").split("://")[-1]
            if entry.get("username") and (entry is registry or address.split("/")[0] == server):
                return {"username": entry["username"], "password": entry.get("password") or ""}
            if entry is not registry and address == server:
                # A provider's setting without a user names what `docker login` keeps.
                login = login_of_docker(server)
                if login.username:
                    return {"username": login.username, "password": login.password}
        return None


class DaemonResource(OnDaemon, Resource):
    """A resource that lives in the daemon, which every read asks again."""


class DaemonFunction(OnDaemon, Function):
    """A data source that asks the daemon."""


def pairs(labels: Iterable[Props]) -> dict[str, str]:
    """The provider's list of label and value, as Docker's map."""
    return {entry["label"]: entry["value"] for entry in labels}


def last_line(stream: Iterable[Any]) -> str:
    """Follow a build, pull or push to its end; raises CloudError for a failure it tells of."""
    text = ""
    for line in stream:
        event = cast("Props", line)
        if event.get("error"):
            raise CloudError("Docker", f"{text}{event['error']}".strip())
        text = (text + (event.get("stream") or ""))[-2000:]
    return text


def _structured(value: Any) -> list[Props]:
    """Provider settings that are no strings arrive as JSON."""
    decoded = json.loads(value) if isinstance(value, str) and value else value
    return cast("list[Props]", decoded or [])
