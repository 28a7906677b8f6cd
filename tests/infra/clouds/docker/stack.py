"""A stack in containers, as the tests use it: registry, database, TLS proxy, short schedules."""

import contextlib
import dataclasses
import json
import secrets
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.docker.plugin import docker_provider
from infra.rehearsal.engine import Engine
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.system import daemon
from infra.rehearsal.system.ports import find_free_port
from tests.infra.project import configure, make_project


class Stack:
    """A stack in containers; what it makes on the daemon begins with ``name``.

    All images but the base of its own lie in a private registry. Who brings the stack up is known
    to it by `docker login` alone; where ``has_password``, by the login in the stack file.
    """

    has_password = False

    def __init__(self, folder: Path, providers: str, plugin: Path | None) -> None:
        self.name = f"trackstack-t{secrets.token_hex(4)}"
        self.folder = folder
        self.registry = daemon.registry()
        stack = self.name.removeprefix("trackstack-")
        self.engine: Engine = make_project(folder, stack, providers=providers, plugin=plugin)
        self.config: dict[str, Any] = {
            "trackstack:cloud": "local",
            "trackstack:compute": "container",
            "trackstack:port": find_free_port(),
            "trackstack:dataDir": str(folder / "d"),
            # Builds of Docker 20.10 know no authorities of single registries.
            "trackstack:baseImage": daemon.base_image(),
            "trackstack:frontImage": _private(daemon.built_image("proxy"), "proxy"),
            "trackstack:databaseImage": _private(daemon.built_image("postgresql"), "postgresql"),
            "trackstack:registry": f"{self.registry.address}/{self.name}",
            "trackstack:gcTtl": "0d0h0m1s",
            "trackstack:gcSchedule": "* * * * *",
            "trackstack:pruneSchedule": "* * * * *",
        }
        if authorities := daemon.extra_ca():
            (folder / "ca.pem").write_text(authorities)
            self.config["trackstack:extraCaFile"] = str(folder / "ca.pem")

    def up(self, **changes: Any) -> str:
        """`pulumi up` with these keys changed; returns what the engine said."""
        self.config |= {f"trackstack:{key}": value for key, value in changes.items()}
        self.configure()
        return self.engine.run("up").stdout

    def configure(self) -> None:
        """Write the stack file, with its secret key where it has one."""
        login = {"trackstack:registryUser": self.registry.username} if self.has_password else {}
        configure(self.engine, {**self.config, **login})
        if self.has_password:
            self.set_password(self.registry.password)

    def set_password(self, password: str) -> None:
        """Write the secret key of the registry's login to the stack file."""
        self.engine.run("config", "set", "--secret", "trackstack:registryPassword", password)

    @property
    def uri(self) -> str:
        return f"https://localhost:{self.config['trackstack:port']}"

    def left(self) -> dict[str, list[str]]:
        """What the daemon has of this stack, by kind."""
        return {
            kind: daemon.docker(
                kind, "ls", *all_, "--quiet", "--filter", f"name={self.name}"
            ).split()
            for kind, all_ in (("container", ["--all"]), ("network", []), ("volume", []))
        }

    def inspect(self, container: str) -> dict[str, Any]:
        return json.loads(daemon.docker("inspect", f"{self.name}-{container}"))[0]

    def is_healthy(self, container: str) -> bool:
        state = self.inspect(container)["State"]
        return state["Running"] and state.get("Health", {}).get("Status", "healthy") == "healthy"

    def jobs(self) -> dict[str, Any]:
        """How the jobs' last runs went, as the scheduler notes them."""
        with contextlib.suppress(RehearsalError, ValueError):
            path = "/data/state/jobs.json"
            return json.loads(daemon.docker("exec", f"{self.name}-server", "cat", path))
        return {}


def _private(image: str, name: str) -> str:
    """An image's name in the private registry, from which alone it can be had by it."""
    pushed = daemon.pushed(image, name)
    daemon.docker("image", "rm", f"{pushed.partition('@')[0]}:pushed")
    return pushed


@dataclasses.dataclass(frozen=True)
class Answer:
    """What one request got: a status, 0 where it was none, and after how many seconds."""

    status: int
    seconds: float


@contextlib.contextmanager
def readers(stack: Stack) -> Generator[list[Answer]]:
    """Somebody asks the server something every 100 ms, whatever became of the request before.

    Gives the answers, which are complete when the context has ended.
    """
    outputs = stack.engine.outputs()
    context = ssl.create_default_context(cadata=outputs["ca_certificate"])
    asked = urllib.request.Request(
        f"{stack.uri}/api/2.0/mlflow/experiments/get?experiment_id=0",
        headers={"Authorization": f"Bearer {outputs['tracking_token']}"},
    )
    answers, stopped = list[Answer](), threading.Event()

    def ask() -> None:
        began, status = time.monotonic(), 0
        with contextlib.suppress(OSError):
            try:
                with urllib.request.urlopen(asked, timeout=60, context=context) as answer:
                    status = answer.status
            except urllib.error.HTTPError as error:
                status = error.code
        answers.append(Answer(status, time.monotonic() - began))

    def keep_asking(pool: ThreadPoolExecutor) -> None:
        while not stopped.wait(0.1):
            pool.submit(ask)

    with ThreadPoolExecutor(400) as pool:
        asking = threading.Thread(target=keep_asking, args=(pool,))
        asking.start()
        try:
            yield answers
        finally:
            stopped.set()
            asking.join()


@contextlib.contextmanager
def standing(folder: Path, *, is_real: bool, is_up: bool = True) -> Generator[Stack]:
    """A stack that is up, on the real provider or on the stand-in; at its end nothing is left.

    Without ``is_up`` the test brings it up itself.
    """
    daemon.ensure_daemon()
    with (
        pytest.MonkeyPatch.context() as patch,
        docker_provider(folder / "cloud", is_real=is_real) as (providers, plugin),
    ):
        # Of this process too: the stand-in lives in it.
        patch.setenv("DOCKER_CONFIG", str(daemon.logged_in(folder)))
        made = Stack(folder, providers, plugin)
        try:
            if is_up:
                made.up()
            yield made
        finally:
            made.engine.destroy(check=False)
            for kind, names in made.left().items():
                for name in names:
                    daemon.docker(kind, "rm", "--force", name, check=False)
