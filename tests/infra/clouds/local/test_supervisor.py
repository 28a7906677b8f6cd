"""The supervisor of a stack whose folders have names as people give them."""

import sys
import time
from pathlib import Path

import pytest

from infra.clouds.local import supervisor

_PROGRAM = f"""\
#!/bin/sh
echo started "$@" "$WHERE"
exec "{sys.executable}" -c 'import time; time.sleep(60)'
"""


@pytest.mark.parametrize("name", ["my stack", "Ann's größte"])
def test_a_program_runs_below_a_folder_with_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / name
    for folder in ("logs", "programs", "bin"):
        (data / folder).mkdir(parents=True)
    program = data / "bin" / "trackstack"
    program.write_text(_PROGRAM)
    program.chmod(0o755)
    supervisor.start(str(data))
    try:
        # The project's own environment lies below such a folder, too.
        monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
        supervisor.set_program(str(data), "server", {"WHERE": str(data)}, ["server"])
        deadline = time.monotonic() + 10
        log = data / "logs" / "server.log"
        while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert supervisor.last_lines(str(data), "server") == f"started server {data}"
        assert supervisor.program_state(str(data), "server") == "STARTING"
    finally:
        supervisor.stop(str(data))
