"""A stack in containers, as the tests use it: registry, database, TLS proxy, short schedules."""

import contextlib
import json
import secrets
from pathlib import Path
from typing import Any

from infra.rehearsal.engine import Engine
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.system import daemon
from infra.rehearsal.system.ports import find_free_port
from tests.infra.project import configure, make_project


class Stack:
    """A stack in containers; what it makes on the daemon begins with ``name``."""

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
            "trackstack:baseImage": daemon.base_image(),
            "trackstack:frontImage": daemon.built_image("proxy"),
            "trackstack:databaseImage": daemon.built_image("postgresql"),
            "trackstack:registry": f"{self.registry.address}/{self.name}",
            "trackstack:registryUser": self.registry.username,
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
        """Write the stack file, with its secret key."""
        configure(self.engine, self.config)
        password = self.registry.password
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
