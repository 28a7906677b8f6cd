"""Keys of a stack on this machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.rehearsal.keys.shared import PREFIX, image_keys, tls_keys
from infra.rehearsal.system.ports import find_free_port

ACCOUNT: dict[str, str] = {}


def replaced(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    replaced: dict[str, Any] = {"port": find_free_port(), "dataDir": str(folder / "data")}
    if config.get(f"{PREFIX}protect"):
        replaced["protect"] = False
    if config.get(f"{PREFIX}compute") != "container":
        return replaced
    replaced["address"] = "127.0.0.1"
    return replaced | tls_keys(config) | image_keys(config, folder, ())
