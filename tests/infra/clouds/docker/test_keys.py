"""Each key of a stack in containers changed once: which containers make room for others."""

from pathlib import Path

import pytest

from tests.infra.operations.stack.every_key import replaced

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

_REPLACED = {
    "server": "workers logLevel logFormat serveArtifacts artifactLocations jobExecution assistant "
    "restoreBackup protectRegistry auditReads",
    "scheduler": "gcSchedule gcTtl pruneSchedule pruneAction pruneNotice entityTtlDays keepData "
    "backupSchedule backupDrillSchedule",
    "server scheduler": "pathPrefix pruneRegistry backupKeep backupAlarm environment "
    "artifactsDestination cpus",
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


def test_a_changed_key_replaces_the_containers_that_it_must(tmp_path: Path) -> None:
    wanted = {key: set(names.split()) for names, keys in _REPLACED.items() for key in keys.split()}
    found = replaced("local-container", "docker:index/container:Container", tmp_path)
    # Those that only fill a volume with secret files have ended long before.
    served = {
        key: {name for name in names if not name.endswith("-secret-files")}
        for key, names in found.items()
    }
    assert served == wanted
