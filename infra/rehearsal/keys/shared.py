"""What the clouds' rehearsals take instead of images and certificates that cannot be had."""

import functools
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from infra.place import ROOT
from infra.rehearsal.errors import RehearsalError
from infra.rehearsal.host.authority import Authority
from infra.rehearsal.system import daemon
from infra.settings import PROJECT
from infra.settings.image import DEFAULT_BASE
from infra.settings.local import LocalContainer

PREFIX = f"{PROJECT}:"


def image_keys(
    config: Mapping[str, Any], folder: Path, machines: Collection[str]
) -> dict[str, Any]:
    """Images and registry, where those of the stack file cannot be had.

    ``machines`` are the computes whose proxy is no container.
    """
    replaced: dict[str, Any] = {}
    defaults = LocalContainer.model_fields
    kinds: list[tuple[str, str, str]] = []
    if config.get(f"{PREFIX}compute") not in machines:
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


def pushed_keys(
    config: Mapping[str, Any], replaced: Mapping[str, Any], copied: Mapping[str, str]
) -> dict[str, str]:
    """What the stack copies to its own registry, in one that this machine reaches.

    ``replaced`` are the keys that differ from ``config`` by now; ``copied`` are the keys of the
    images, with their defaults.
    """
    given = {key: config.get(f"{PREFIX}{key}", default) for key, default in copied.items()}
    return {
        key: daemon.pushed(str(replaced.get(key, image)), key.lower())
        for key, image in given.items()
    }


def tls_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """No public certificate authority can reach a rehearsal, nor does DNS have its names."""
    if config.get(f"{PREFIX}tls", "internal") == "internal":
        return {}
    keys = ("acmeEmail", "acmeDirectory", "tlsCertificateFile", "hostname")
    return {"tls": "internal", **dict.fromkeys(keys)}


def _unless_pulled(key: str, image: str, made: Callable[[], str]) -> dict[str, str]:
    if daemon.docker("image", "ls", "--quiet", image, check=False):
        return {}
    try:
        daemon.docker("pull", "--quiet", image)
    except RehearsalError:
        return {key: made()}
    return {}
