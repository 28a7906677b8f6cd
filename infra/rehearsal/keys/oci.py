"""Keys of a stack on OCI."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.rehearsal.keys.shared import PREFIX, image_keys, pushed_keys, tls_keys
from infra.rehearsal.oci import ids
from infra.settings.oci import Oci

# What an example leaves to be put in.
ACCOUNT = {"tenancyId": ids.TENANCY, "compartmentId": ids.TENANCY}


def replaced(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    replaced: dict[str, Any] = {**ACCOUNT, "protect": False, "region": ids.REGION}
    for key in ("vcnId", "databaseSecretId", "vaultId"):
        if f"{PREFIX}{key}" in config:
            replaced[key] = None
    replaced |= tls_keys(config) | image_keys(config, folder, Oci.machines)
    if config.get(f"{PREFIX}compute", "container") in Oci.machines:
        return replaced
    copied = {"frontImage": Oci.model_fields["front_image"].default}
    return replaced | pushed_keys(config, replaced, copied)
