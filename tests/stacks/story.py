"""Two stacks of one project, which a story takes from dev to prod."""

import base64
import json
import secrets
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.place import ROOT
from infra.rehearsal.sandbox import Sandbox, prepared
from infra.rehearsal.system import daemon


@dataclass(frozen=True)
class Story:
    """Two stacks of one project on one cloud."""

    dev: Sandbox
    prod: Sandbox
    folder: Path

    def run(self, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command of infra, as `make` calls it."""
        return run(self.prod, module, *arguments)

    def up(self, sandbox: Sandbox, **keys: Any) -> None:
        """Bring a stack up with keys of its own."""
        path = sandbox.engine.project_dir / "stacks" / f"Pulumi.{sandbox.engine.stack}.yaml"
        config = {**sandbox.config, **{f"trackstack:{key}": value for key, value in keys.items()}}
        if "image" in keys:
            # Nothing is built, so nothing says of what.
            for key in ("baseImage", "extraCaFile", "imageBuild"):
                config.pop(f"trackstack:{key}", None)
        path.write_text(yaml.safe_dump({"config": config}))
        sandbox.engine.run("up")

    def release(self, base: str, dockerfile: str, script: str = "") -> str:
        """Another image in a registry, by digest; its context has ``script`` as `trackstack`."""
        registry, name = daemon.registry(), f"story-{secrets.token_hex(4)}"
        folder = self.folder / name
        folder.mkdir()
        (folder / "Dockerfile").write_text(f"FROM {base}\n{dockerfile}\n")
        (folder / "trackstack").write_text(script)
        (folder / "trackstack").chmod(0o755)
        tag = f"{registry.address}/{name}:1"
        daemon.docker("build", "--quiet", "--tag", tag, str(folder))
        self.log_in(registry.address, registry.username, registry.password)
        return daemon.push(tag, self.docker)

    @property
    def docker(self) -> Path:
        """Where `docker login` keeps what it knows."""
        return self.folder / "docker"

    def log_in(self, host: str, username: str, password: str) -> None:
        """As `docker login` and `az acr login` do."""
        self.docker.mkdir(exist_ok=True)
        file = self.docker / "config.json"
        known: dict[str, Any] = {"auths": {}}
        if file.exists():
            known = json.loads(file.read_text())
        auth = base64.b64encode(f"{username}:{password}".encode()).decode()
        known["auths"][host] = {"auth": auth}
        file.write_text(json.dumps(known))


def run(
    sandbox: Sandbox, module: str, *arguments: str, seconds: float = 540
) -> "subprocess.CompletedProcess[str]":
    """Run a command of infra in a sandbox's project."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=sandbox.engine.project_dir,
        env={**sandbox.engine.environment_of_commands(), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


@contextmanager
def prepared_and_swept(
    stack: str, folder: Path, overrides: Mapping[str, Any]
) -> Generator[Sandbox]:
    """``prepared``, and nothing left on this machine afterwards."""
    with prepared(stack, folder, overrides) as made:
        try:
            yield made
        finally:
            for cloud in made.clouds:
                cloud.sweep()
