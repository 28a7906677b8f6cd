"""Keys of a stack on OCI."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.rehearsal.keys.shared import PREFIX, image_keys, tls_keys
from infra.rehearsal.oci import ids
from infra.settings.oci import Oci

# What an example leaves to be put in.
ACCOUNT = {"tenancyId": ids.TENANCY, "compartmentId": ids.TENANCY}


def replaced(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    replaced: dict[str, Any] = {**ACCOUNT, "protect": False, "region": ids.REGION}
    for key in ("vcnId", "databaseSecretId"):
        if f"{PREFIX}{key}" in config:
            replaced[key] = None
    return replaced | tls_keys(config) | image_keys(config, folder, Oci.machines)
