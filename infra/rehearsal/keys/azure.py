"""Keys of a stack on Azure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.rehearsal.azure import ids
from infra.rehearsal.keys.shared import PREFIX, image_keys, tls_keys
from infra.rehearsal.system import daemon
from infra.settings.azure import Azure
from infra.settings.image import DEFAULT_BASE

# What an example leaves to be put in.
ACCOUNT = {"subscriptionId": ids.SUBSCRIPTION}


def replaced(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    replaced: dict[str, Any] = {**ACCOUNT, "protect": False}
    for key in ("resourceGroup", "virtualNetworkId", "privateDnsZoneIds"):
        if f"{PREFIX}{key}" in config:
            # There is none but what the rehearsal makes.
            replaced[key] = None
    replaced |= tls_keys(config) | image_keys(config, folder, Azure.machines)
    return replaced | _pushed({**config, **{f"{PREFIX}{k}": v for k, v in replaced.items()}})


def _pushed(config: Mapping[str, Any]) -> dict[str, str]:
    """What the stack copies to its own registry, in one that this machine reaches."""
    copied: dict[str, str] = {}
    if config.get(f"{PREFIX}compute", "container") == "container":
        copied["frontImage"] = Azure.model_fields["front_image"].default
    if config.get(f"{PREFIX}imageBuild") == "acr":
        copied["baseImage"] = DEFAULT_BASE
    return {
        key: daemon.pushed(config.get(f"{PREFIX}{key}", default), key.lower())
        for key, default in copied.items()
    }
