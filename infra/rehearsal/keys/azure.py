"""Keys of a stack on Azure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.rehearsal.azure import ids
from infra.rehearsal.keys.shared import PREFIX, image_keys, pushed_keys, tls_keys
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
    copied = dict[str, str]()
    if config.get(f"{PREFIX}compute", "container") == "container":
        copied["frontImage"] = Azure.model_fields["front_image"].default
    if config.get(f"{PREFIX}imageBuild") == "acr":
        copied["baseImage"] = DEFAULT_BASE
    return replaced | pushed_keys(config, replaced, copied)
