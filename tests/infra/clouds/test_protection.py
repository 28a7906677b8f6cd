"""What holds data is protected by the engine on every stack, so that plain `pulumi` holds, too.

The property tests of Azure and OCI say so of any of their stacks.
"""

from pathlib import Path

import pytest

from tests.infra.recording import deploy_azure, deploy_here, deploy_oci
from tests.infra.stack_files import AZURE, OCI


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
    _, made = deploy_oci({**OCI, "compute": compute})
    assert any(urn.endswith("::artifacts-emptied") for urn in made.options(server)["dependencies"])


@pytest.mark.parametrize("database", ["mysql", "postgresql"])
def test_what_this_program_gives_a_database_later_replaces_none(database: str) -> None:
    shapes = {"mysql": "MySQL.2", "postgresql": "PostgreSQL.VM.Standard.E4.Flex.2.32GB"}
    _, made = deploy_oci({**OCI, "database": database, "databaseShape": shapes[database]})
    assert (
        made.options("database")["ignoreChanges"]
        == {"mysql": ["adminPassword"], "postgresql": ["dbVersion"]}[database]
    )
    _, made = deploy_azure({**AZURE, "database": database})
    assert made.options("database-server")["ignoreChanges"] == ["version", "availabilityZone"]
    assert made.options("database")["ignoreChanges"] == ["charset", "collation"]
