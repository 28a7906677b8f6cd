"""What holds data is protected by the engine on every stack, so that plain `pulumi` holds, too.

The property tests of Azure and OCI say so of any of their stacks.
"""

from pathlib import Path

import pytest

from tests.infra.recording import deploy_here


@pytest.mark.parametrize("keep_data", [True, False])
@pytest.mark.parametrize(("compute", "holding"), [("process", 1), ("container", 2)])
def test_what_holds_data_on_this_machine_is_protected(
    compute: str, holding: int, keep_data: bool, tmp_path: Path
) -> None:
    keys = {"cloud": "local", "compute": compute, "port": 65123, "dataDir": str(tmp_path / "d")}
    _, made = deploy_here({**keys, "keepData": keep_data, "protect": False})
    assert len(made.holding_data()) == holding
    assert made.protected() == made.holding_data()
