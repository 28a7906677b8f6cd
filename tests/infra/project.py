"""A project of a test's own: the real program, with stack files and state apart from the user's."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from infra.clouds.shared.settled import SECONDS_VARIABLE
from infra.place import ROOT
from infra.rehearsal.engine import Engine
from infra.rehearsal.system.ports import find_free_port
from runtime import settings
from runtime.oci import login as oci


def make_project(
    folder: Path, stack: str = "test", *, providers: str = "", plugin: Path | None = None
) -> Engine:
    """An engine on a copy of Pulumi.yaml with the real infra/ behind it."""
    project = folder / "project"
    (project / "stacks").mkdir(parents=True)
    shutil.copy(ROOT / "Pulumi.yaml", project)
    (project / "infra").symlink_to(ROOT / "infra")
    return Engine(project, folder / "state", stack=stack, providers=providers, plugin=plugin)


def oci_login(folder: Path) -> dict[str, str]:
    """The environment of somebody who may log in to a rehearsed OCI, and does not wait for it."""
    file = folder / "oci-config"
    file.write_text(
        f"[DEFAULT]\nuser=u\ntenancy=t\nfingerprint=f\nkey_file={file}\nregion=eu-frankfurt-1\n"
    )
    given = {"OCI_CONFIG_FILE": str(file)}
    login = oci.of_provider(settings.load(given))
    return {**given, **login, SECONDS_VARIABLE: "0"}


def configure(engine: Engine, config: dict[str, Any]) -> None:
    """Write the stack file, as a user does with an editor; what the engine wrote into it stays."""
    path = engine.project_dir / "stacks" / f"Pulumi.{engine.stack}.yaml"
    written: dict[str, Any] = yaml.safe_load(path.read_text()) if path.exists() else {}
    path.write_text(yaml.safe_dump({**written, "config": config}))


def configure_local(engine: Engine, data: Path, **keys: Any) -> None:
    """Write the file of a stack of this machine, on a free port."""
    given = {"cloud": "local", "port": find_free_port(), "dataDir": str(data), **keys}
    configure(engine, {f"trackstack:{key}": value for key, value in given.items()})


def run_operation(engine: Engine, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command of infra.operations on the stack, by its module's name, with no terminal."""
    return run_module(engine, f"operations.{name}", engine.stack, *arguments)


def run_module(engine: Engine, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command of infra in the engine's project, by its module's name, with no terminal."""
    return subprocess.run(
        [sys.executable, "-m", f"infra.{name}", *arguments],
        cwd=engine.project_dir,
        env={**engine.environment_of_commands(), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
    )
