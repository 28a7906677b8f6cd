"""An earlier version of the program as git has it, its own image with it, on today's clouds."""

import shutil
import subprocess
import tarfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

from infra.clouds import data
from infra.place import ROOT
from infra.rehearsal.engine import Engine, Result
from infra.rehearsal.sandbox import Sandbox

# The first version that had stacks in clouds.
FIRST = "be4a0b13540124666c9a4344f074d25cbf326e9a"
_TRIES = 3
_KEPT_OUTPUTS = ("tracking_uri", "tracking_token", "ca_certificate", "artifacts_destination")


def tree(commit: str, folder: Path) -> Path:
    """Unpack all files of a commit under ``folder``, and return where they are.

    Raises AssertionError where this clone has not the commit.
    """
    # In CI the clone is another user's.
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT)]
    packed = subprocess.run([*git, "archive", commit], capture_output=True)
    assert packed.returncode == 0, (
        f"this clone has no commit {commit[:7]}, from which an update is rehearsed; where it is "
        f"shallow: git fetch --unshallow ({packed.stderr.decode().strip()})"
    )
    made = folder / commit[:7]
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(made, filter="data")
    return made


def with_program(sandbox: Sandbox, root: Path) -> Sandbox:
    """The same stack, run by the program whose files are below ``root``; its stack file stays."""
    project = sandbox.engine.project_dir
    shutil.copy(root / "Pulumi.yaml", project)
    (project / "infra").unlink()
    (project / "infra").symlink_to(root / "infra")
    for cloud in sandbox.clouds:
        # What is built is that program's image.
        cloud.program = root / "infra"
    # Before what is installed, which is this clone's.
    environment = {**sandbox.engine.environment, "PYTHONPATH": str(root)}
    return replace(sandbox, engine=replace(sandbox.engine, environment=environment))


def holding_data(engine: Engine) -> dict[str, str]:
    """The id of each resource of a stack that holds data, by its name."""
    return {
        name: one["id"]
        for name, one in engine.resources().items()
        if data.holds_data(str(one["type"]), name)
    }


def kept_outputs(engine: Engine) -> dict[str, Any]:
    """What users of a stack hold on to, and an update leaves as it is."""
    outputs = engine.outputs()
    return {key: outputs.get(key) for key in _KEPT_OUTPUTS}


def bring_up(engine: Engine) -> Result:
    """As its users did: again, where the cloud refused something that the first version asked for
    too early; what the last try said.
    """
    done = engine.run("up", check=False)
    for _ in range(_TRIES - 1):
        if done.code:
            done = engine.run("up", check=False)
    return done
