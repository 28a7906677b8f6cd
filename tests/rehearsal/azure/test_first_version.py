"""What today's program asks of Azure to take over a stack of the first version, in every way.

Real stacks, with the first version's own image and data in them: tests/stacks/test_azure_update.py.
"""

from pathlib import Path
from typing import Any

import pytest

from infra.place import ROOT
from infra.rehearsal.azure.cloud import open_cloud
from infra.rehearsal.provider.serving import serving
from tests.infra.project import configure, run_operation
from tests.rehearsal.azure.checked import KEYS, SSH_KEY, asked, made, with_program
from tests.stacks import earlier

pytestmark = pytest.mark.nightly

_COMPUTES: dict[str, dict[str, Any]] = {
    "container": {"allowedCidrs": ["0.0.0.0/0"]},
    "scale": {"compute": "scale", "minReplicas": 2, "maxReplicas": 6},
    "vm": {"compute": "vm", "sshPublicKey": SSH_KEY},
}
_WAYS: dict[str, dict[str, Any]] = {
    "": {},
    "private": {"private": True, "allowedCidrs": ["10.0.0.0/8"]},
    "mysql": {"database": "mysql", "databaseSku": "Standard_D2ads_v5"},
    "standby": {"databaseSku": "Standard_D2ds_v5", "highAvailability": True},
}
# Changed where they are; a container group and a machine start again, an app has another revision.
_SERVERS = {"containerinstance:ContainerGroup", "app:ContainerApp", "compute:VirtualMachine"}
# The first version's private apps could not read their secrets: they come up with today's.
_NEVER_UP = {("scale", "private")}


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("compute", _COMPUTES)
def test_nothing_that_holds_data_is_replaced_and_the_server_is_changed_where_it_is(
    compute: str, way: str, tmp_path: Path
) -> None:
    cloud = open_cloud(tmp_path / "clouds")
    with serving(cloud) as providers:
        today = made(tmp_path, providers)
        keys = {**KEYS, **_COMPUTES[compute], **_WAYS[way]}
        configure(today, {f"trackstack:{key}": value for key, value in keys.items()})
        first = with_program(today, earlier.tree(earlier.FIRST, tmp_path))
        done = earlier.bring_up(first)
        is_up = (compute, way) not in _NEVER_UP
        assert (done.code == 0) == is_up, done.output
        outputs, holding = earlier.kept_outputs(first), earlier.holding_data(first)
        assert len(holding) == 5

        today = with_program(today, ROOT)
        cloud.journal.path.write_text("")
        update = run_operation(today, "up", "--wait", "0", "--no-preflight")
        assert update.returncode == 0, update.stdout + update.stderr
        found = asked(cloud)
        assert {(how, kind) for how, kind in found if kind in _SERVERS} == {
            ("Update" if is_up else "Create", kind)
            for kind in _SERVERS
            if today.resources()["server"]["type"].endswith(kind)
        }
        assert {kind for how, kind in found if how == "Delete"} <= {
            # The zone of a private server's own name is for that name alone.
            *("privatedns:PrivateZone", "privatedns:VirtualNetworkLink"),
            "privatedns:PrivateRecordSet",
        }
        assert earlier.holding_data(today).items() >= holding.items()
        if is_up:
            assert earlier.kept_outputs(today) == outputs
        today.run("up", "--expect-no-changes")
