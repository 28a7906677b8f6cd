"""Every example rehearsed as it stands, and in each other way that its cloud offers."""

import json
import subprocess
import sys
from typing import Any

import pytest

from infra import settings
from infra.operations.stack import file as stack_file
from infra.place import ROOT
from infra.rehearsal.keys import account
from infra.settings import CLOUDS

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGgq9pDOYQlPFsMVo8L7VnMGsXNGFTcXhSnBYnWkOb6E"
_ONE_SERVER = {"minReplicas": None, "maxReplicas": None}
_OPEN = {"allowedCidrs": '["0.0.0.0/0"]'}
# Example -> the keys that are other than it says; the first is the example itself.
_WAYS: dict[str, tuple[dict[str, str | None], ...]] = {
    "local": ({},),
    "local-container": ({},),
    "azure-dev": (
        {},
        {"compute": "scale"},
        {"compute": "vm", "sshPublicKey": _KEY},
        {"database": "mysql"},
        {"private": "true"},
    ),
    "azure-prod": (
        {},
        {"compute": "container", **_ONE_SERVER, **_OPEN},
        {"compute": "vm", **_ONE_SERVER, "sshPublicKey": _KEY},
        {"database": "mysql", "databaseSku": "Standard_D2ads_v5"},
        {"private": "true"},
    ),
    "oci-dev": (
        {},
        {"compute": "scale"},
        {"compute": "vm"},
        {"database": "postgresql"},
        {"private": "true"},
    ),
    "oci-prod": (
        {},
        {"compute": "scale"},
        {"compute": "vm"},
        {"database": "postgresql", "databaseShape": None, "databaseStorage": None},
        {"private": "false"},
    ),
}
_ALL = [(example, way) for example, ways in _WAYS.items() for way in ways]


def _said(way: tuple[str, dict[str, str | None]]) -> str:
    return "-".join([way[0], *(f"{k}={v}" for k, v in way[1].items() if k != "sshPublicKey")])


def _keys(example: str, way: dict[str, str | None]) -> dict[str, str]:
    given = stack_file.keys(example)
    changed = {**given, **account(given["cloud"]), **way}
    return {key: value for key, value in changed.items() if value is not None}


@pytest.mark.parametrize("way", _ALL, ids=_said)
def test_each_way_is_a_stack_file_that_is_taken(way: tuple[str, dict[str, str | None]]) -> None:
    settings.parse(_keys(*way))


def test_every_example_and_every_compute_of_every_cloud_is_among_them() -> None:
    assert sorted(_WAYS) == stack_file.examples()
    found: list[Any] = [settings.parse(_keys(*way)) for way in _ALL]
    assert {(s.cloud, s.compute) for s in found} == {
        (cloud, compute) for cloud, computes in CLOUDS.items() for compute in computes
    }


@pytest.mark.nightly
@pytest.mark.parametrize("way", _ALL, ids=_said)
def test_it_comes_up_serves_changes_nothing_and_leaves_nothing(
    way: tuple[str, dict[str, str | None]],
) -> None:
    example, changed = way
    config = [f"--config={key}={value or 'null'}" for key, value in changed.items()]
    done = subprocess.run(
        [sys.executable, "-m", "infra.rehearsal", example, "--json", *config],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    report = json.loads(done.stdout)
    assert report["left"] == []
    assert "server" in {step["name"] for step in report["steps"]}
