"""The keys of a stack file whose values a rehearsal cannot have, and what it takes instead."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.place import ROOT
from infra.rehearsal.azure import ids as azure
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.host.authority import Authority
from infra.rehearsal.oci import ids as oci
from infra.rehearsal.system import daemon
from infra.rehearsal.system.ports import find_free_port
from infra.settings import PROJECT
from infra.settings.cloud import CloudKeys
from infra.settings.common import DEFAULT_BASE
from infra.settings.local import LocalContainer
from infra.settings.oci import Oci

PREFIX = f"{PROJECT}:"
# What an example leaves to be put in.
ACCOUNTS = {
    "azure": {"subscriptionId": azure.SUBSCRIPTION},
    "oci": {"tenancyId": oci.TENANCY, "compartmentId": oci.TENANCY},
}


def _local_keys(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    replaced: dict[str, Any] = {"port": find_free_port(), "dataDir": str(folder / "data")}
    if config.get(f"{PREFIX}protect"):
        replaced["protect"] = False
    if config.get(f"{PREFIX}compute") != "container":
        return replaced
    replaced["address"] = "127.0.0.1"
    return replaced | _tls_keys(config) | _image_keys(config, folder)


def _image_keys(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Images and registry, where those of the stack file cannot be had."""
    replaced: dict[str, Any] = {}
    defaults = LocalContainer.model_fields
    kinds: list[tuple[str, str, str]] = []
    keys = Oci if config.get(f"{PREFIX}cloud") == "oci" else CloudKeys
    if config.get(f"{PREFIX}compute") not in keys.machines:
        kinds.append(("frontImage", "front_image", "proxy"))
    if config.get(f"{PREFIX}cloud", "local") == "local":
        kinds.append(("databaseImage", "database_image", "postgresql"))
    for key, field, name in kinds:
        wanted = config.get(f"{PREFIX}{key}", defaults[field].default)
        replaced |= _unless_pulled(key, wanted, functools.partial(daemon.built_image, name))
    base = config.get(f"{PREFIX}baseImage", DEFAULT_BASE)
    replaced |= _unless_pulled("baseImage", base, daemon.base_image)
    trusted = daemon.extra_ca() if "baseImage" in replaced else ""
    if config.get(f"{PREFIX}cloud") != "local":
        trusted += Authority.load().certificate
    if trusted:
        own = config.get(f"{PREFIX}extraCaFile")
        (folder / "ca.pem").write_text(f"{(ROOT / own).read_text() if own else ''}{trusted}\n")
        replaced["extraCaFile"] = str(folder / "ca.pem")
    if f"{PREFIX}registry" in config:
        registry = daemon.registry()
        replaced |= {"registry": f"{registry.address}/rehearsal", "registryUser": registry.username}
    return replaced


def _azure_keys(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    replaced: dict[str, Any] = {**ACCOUNTS["azure"], "protect": False}
    for key in ("resourceGroup", "virtualNetworkId"):
        if f"{PREFIX}{key}" in config:
            # There is none but what the rehearsal makes.
            replaced[key] = None
    return replaced | _tls_keys(config) | _image_keys(config, folder)


def _oci_keys(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    replaced: dict[str, Any] = {**ACCOUNTS["oci"], "protect": False, "region": oci.REGION}
    for key in ("vcnId", "databaseSecretId"):
        if f"{PREFIX}{key}" in config:
            replaced[key] = None
    return replaced | _tls_keys(config) | _image_keys(config, folder)


def _tls_keys(config: dict[str, Any]) -> dict[str, Any]:
    """No public certificate authority can reach a rehearsal, nor does DNS have its names."""
    if config.get(f"{PREFIX}tls", "internal") == "internal":
        return {}
    keys = ("acmeEmail", "acmeDirectory", "tlsCertificateFile", "hostname")
    return {"tls": "internal", **dict.fromkeys(keys)}


_KEYS = {"local": _local_keys, "azure": _azure_keys, "oci": _oci_keys}


def _unless_pulled(key: str, image: str, made: Callable[[], str]) -> dict[str, str]:
    if daemon.docker("image", "ls", "--quiet", image, check=False):
        return {}
    try:
        daemon.docker("pull", "--quiet", image)
    except RehearsalError:
        return {key: made()}
    return {}


def replaced_keys(cloud: str, config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Key -> its value in a rehearsal, None for one that is left out.

    ``config`` has the stack file's keys with their prefix; ``folder`` takes files that are named.
    """
    return _KEYS[cloud](config, folder)
