"""A local stack of a test's own, as a user has it."""

from pathlib import Path
from typing import Any

import psutil

from infra.rehearsal.engine import Engine
from infra.rehearsal.system.ports import find_free_port
from tests.infra.project import configure, make_project


class Stack:
    """A local stack with a data directory and a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.engine: Engine = make_project(folder)
        self.data_dir = folder / "d"
        self.config: dict[str, Any] = {
            "trackstack:cloud": "local",
            "trackstack:port": find_free_port(),
            "trackstack:dataDir": str(self.data_dir),
        }

    def up(self, **changes: Any) -> str:
        """`pulumi up` with these keys changed; returns what the engine said."""
        self.config |= {f"trackstack:{key}": value for key, value in changes.items()}
        configure(self.engine, self.config)
        return self.engine.run("up").stdout

    @property
    def uri(self) -> str:
        prefix = self.config.get("trackstack:pathPrefix", "")
        return f"http://127.0.0.1:{self.config['trackstack:port']}{prefix}"

    @property
    def token(self) -> str:
        return (self.data_dir / "secrets" / "tracking_token").read_text()

    def processes(self) -> list[psutil.Process]:
        """The supervisor and all below it; none where it does not run."""
        try:
            supervisor = psutil.Process(int((self.data_dir / "supervisord.pid").read_text()))
            return [supervisor, *supervisor.children(recursive=True)]
        except (FileNotFoundError, psutil.NoSuchProcess):
            return []

    def process(self, name: str) -> psutil.Process:
        """The supervised process that runs `trackstack <name>`."""
        supervisor = self.processes()[0]
        return next(child for child in supervisor.children() if child.cmdline()[-1] == name)
