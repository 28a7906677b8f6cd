"""Each key of a stack in containers changed once: which containers make room for others."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.settings import model_of
from tests.infra.clouds.docker.stack import Stack, standing
from tests.infra.operations.stack.guard.every_key import replaced
from tests.infra.operations.stack.guard.key_values import STACKS, others

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

_REPLACED = {
    "server": "workers logLevel logFormat serveArtifacts artifactLocations jobExecution assistant "
    "restoreBackup protectRegistry secretsKeyRotation auditReads tokenMaxDays tokenSignInDays",
    "scheduler": "gcSchedule gcTtl pruneSchedule pruneAction pruneNotice entityTtlDays keepData "
    "backupSchedule backupDrillSchedule",
    "server scheduler": "pathPrefix pruneRegistry backupKeep backupAlarm environment "
    "artifactsDestination backupEncryption cpus",
    "front server": "address",
    "front": "frontImage",
    "database": "databaseImage",
    "front server scheduler": "hostname tls acmeEmail acmeDirectory port",
    # Of another image, which is built or named.
    "scheduler server": "image baseImage mlflowVersion extraPackages platform registry "
    "registryUser backupDestination oidcIssuer oidcClientId oidcUserClaim allowedGroups "
    "allowedUsers adminGroups readGroups",
    # In place, by the files of secrets, or not at all.
    "": "memory dataDir protect",
}
_CONTAINER = "docker:index/container:Container"
# What a preview of the engine can't tell: whether a secret file that is written again is another,
# an image that nobody has, a registry without its password, a move, which is refused.
_UNTOLD = {"keepData", "image", "registry", "registryUser", "dataDir"}


def test_a_changed_key_replaces_the_containers_that_it_must(tmp_path: Path) -> None:
    found = replaced("local-container", _CONTAINER, tmp_path)
    # Those that only fill a volume with secret files have ended long before.
    served = {
        key: {name for name in names if not name.endswith("-secret-files")}
        for key, names in found.items()
    }
    assert served == _wanted()


def test_the_engine_would_replace_the_same_of_a_stack_that_is_up(
    tmp_path: Path, is_real_docker: bool
) -> None:
    with standing(tmp_path, is_real=is_real_docker) as stack:
        found = {
            key: _previewed(stack, changes)
            for name, field in model_of(STACKS["local-container"]).model_fields.items()
            if (key := field.alias or name) not in _UNTOLD
            if (changes := others("local-container", key, field.default))
        }
    assert found == {key: names for key, names in _wanted().items() if key not in _UNTOLD}


def _wanted() -> dict[str, set[str]]:
    """Key -> the containers that make room for others."""
    return {key: set(names.split()) for names, keys in _REPLACED.items() for key in keys.split()}


def _previewed(stack: Stack, changes: Mapping[str, Any]) -> set[str]:
    """The containers that `up` would replace."""
    kept = dict(stack.config)
    stack.config |= {f"trackstack:{key}": value for key, value in changes.items()}
    try:
        stack.configure()
        said = stack.engine.run("preview", "--json").stdout
    finally:
        stack.config = kept
    names = {
        step["urn"].rpartition("::")[2]
        for step in json.loads(said)["steps"]
        if step["op"] == "replace" and _CONTAINER in step["urn"]
    }
    return {name for name in names if not name.endswith("-secret-files")}
