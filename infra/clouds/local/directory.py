"""The data directory: the one place on this machine that a stack writes to."""

import shutil
from pathlib import Path
from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import Resource

from infra.clouds.shared.dynamic import DynamicProvider, Props

_FOLDERS = ("store", "artifacts", "secrets", "state", "logs", "programs")
# What a stopped stack has no use for; the rest is data.
_TRANSIENT = ("programs", "supervisord.conf", "supervisord.pid", "sock")


class _DataDirectoryProvider(DynamicProvider):
    def apply(self, props: Props) -> Props:
        root = Path(props["data_dir"])
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in _FOLDERS:
            (root / folder).mkdir(mode=0o700, exist_ok=True)
        return {}

    def remove(self, props: Props) -> None:
        root = Path(props["data_dir"])
        if not props["keep_data"]:
            shutil.rmtree(root, ignore_errors=True)
            return
        for name in _TRANSIENT:
            path = root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def drifted(self, props: Props) -> bool:
        return not all((Path(props["data_dir"]) / folder).is_dir() for folder in _FOLDERS)


class DataDirectory(Resource, module="trackstack", name="LocalDataDirectory"):
    """Inputs: ``data_dir``, and ``keep_data``: whether the data outlive `pulumi destroy`."""

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        super().__init__(_DataDirectoryProvider(), name, props, opts)
