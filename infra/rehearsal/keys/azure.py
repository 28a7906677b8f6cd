"""Keys of a stack on Azure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.rehearsal.azure import ids
from infra.rehearsal.keys.shared import PREFIX, image_keys, tls_keys
from infra.settings.azure import Azure

# What an example leaves to be put in.
ACCOUNT = {"subscriptionId": ids.SUBSCRIPTION}


def replaced(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    replaced: dict[str, Any] = {**ACCOUNT, "protect": False}
    for key in ("resourceGroup", "virtualNetworkId", "privateDnsZoneIds"):
        if f"{PREFIX}{key}" in config:
            # There is none but what the rehearsal makes.
            replaced[key] = None
    return replaced | tls_keys(config) | image_keys(config, folder, Azure.machines)
