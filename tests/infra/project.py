"""A project of a test's own: the real program, with stack files and state apart from the user's."""

import shutil
from pathlib import Path
from typing import Any

import yaml

from infra.place import ROOT
from infra.rehearsal.engine import Engine


def make_project(folder: Path, stack: str = "test", *, providers: str = "") -> Engine:
    """An engine on a copy of Pulumi.yaml with the real infra/ behind it."""
    project = folder / "project"
    (project / "stacks").mkdir(parents=True)
    shutil.copy(ROOT / "Pulumi.yaml", project)
    (project / "infra").symlink_to(ROOT / "infra")
    return Engine(project, folder / "state", stack=stack, providers=providers)


def configure(engine: Engine, config: dict[str, Any]) -> None:
    """Write the stack file, as a user does with an editor; what the engine wrote into it stays."""
    path = engine.project_dir / "stacks" / f"Pulumi.{engine.stack}.yaml"
    written: dict[str, Any] = yaml.safe_load(path.read_text()) if path.exists() else {}
    path.write_text(yaml.safe_dump({**written, "config": config}))
