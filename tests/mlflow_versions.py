"""MLflow of other versions, each in a virtual environment of its own that is kept."""

import subprocess
from importlib import metadata
from pathlib import Path
from typing import get_args

from infra.place import ROOT
from infra.settings.image import MlflowVersion
from runtime.image.choose_mlflow import chosen

NEWEST, *OTHERS = get_args(MlflowVersion)
# Whether the tests run beside one of the others.
OLDER = not metadata.version("mlflow").startswith(f"{NEWEST}.")

_KEPT = ROOT / ".trackstack" / "mlflow"
_UV = ROOT / ".venv" / "bin" / "uv"
_EXTRAS = ("server", "postgresql", "mysql", "oidc", "azure", "oci", "s3")
_GROUPS = ("infra", "infra-docker", "infra-azure", "infra-oci", "rehearsal", "dev")


def with_trackstack(version: str) -> Path:
    """The folder of programs where all that tests need is installed beside that minor version."""
    lock = chosen((ROOT / "requirements.lock").read_text(), version, ROOT / "runtime" / "image")
    asked = [word for name in _EXTRAS for word in ("--extra", name)]
    asked += [word for name in _GROUPS for word in ("--group", name)]
    folder = _KEPT / version
    _make(folder, lock)
    project = str(ROOT / "pyproject.toml")
    locked = ["--require-hashes", "-c", str(folder / "lock.txt"), "-r", project]
    _uv("pip", "install", *_into(folder), *locked, *asked)
    _uv("pip", "install", *_into(folder), "--no-deps", "--editable", str(ROOT))
    return folder / "bin"


def alone(version: str, *others: str) -> Path:
    """The folder of programs where MLflow of that version is installed with what it needs."""
    folder = _KEPT / f"alone-{version}"
    _make(folder, "")
    # Outside of the project, whose pyproject.toml overrides what a package asks for.
    _uv("pip", "install", *_into(folder), f"mlflow=={version}", *others, folder=Path("/"))
    return folder / "bin"


def _make(folder: Path, lock: str) -> None:
    if not (folder / "bin" / "python").exists():
        _uv("venv", "--python", str(ROOT / ".venv" / "bin" / "python"), str(folder))
    (folder / "lock.txt").write_text(lock)


def _into(folder: Path) -> tuple[str, str]:
    return "--python", str(folder / "bin" / "python")


def _uv(*arguments: str, folder: Path = ROOT) -> None:
    done = subprocess.run([_UV, "--quiet", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
