"""What holds data is protected by the engine on every stack, so that plain `pulumi` holds, too.

The property tests of Azure and OCI say so of any of their stacks.
"""

from pathlib import Path

import pytest

from tests.infra.recording import deploy_here, deploy_oci


@pytest.mark.parametrize("keep_data", [True, False])
@pytest.mark.parametrize(("compute", "holding"), [("process", 1), ("container", 2)])
def test_what_holds_data_on_this_machine_is_protected(
    compute: str, holding: int, keep_data: bool, tmp_path: Path
) -> None:
    keys = {"cloud": "local", "compute": compute, "port": 65123, "dataDir": str(tmp_path / "d")}
    _, made = deploy_here({**keys, "keepData": keep_data, "protect": False})
    assert len(made.holding_data()) == holding
    assert made.protected() == made.holding_data()


@pytest.mark.parametrize(
    ("compute", "server"),
    # A pool stands on its configuration.
    [("container", "server"), ("vm", "server"), ("scale", "configuration")],
)
def test_a_bucket_is_emptied_after_the_server_that_writes_to_it_is_gone(
    compute: str, server: str
) -> None:
    keys = {
        "cloud": "oci",
        "compute": compute,
        "tenancyId": "ocid1.tenancy.oc1..a",
        "compartmentId": "ocid1.compartment.oc1..b",
        "region": "eu-frankfurt-1",
        "allowedCidrs": ["10.0.0.0/8"],
        "databaseShape": "MySQL.2",
    }
    _, made = deploy_oci(keys)
    assert "artifacts-emptied" in made.needs[server]
