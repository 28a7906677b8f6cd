"""The command that serves clouds to an engine of another process."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.place import ROOT

_COMMAND = [sys.executable, "-m", "infra.rehearsal.serve"]


@pytest.mark.slow
def test_clouds_are_served_until_they_are_told_to_end(tmp_path: Path) -> None:
    names = ["docker", "azure-native", "oci"]
    command = [*_COMMAND, *names, "--state", str(tmp_path)]
    served = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert served.stdout is not None
        printed = served.stdout.readline().strip()
        assert re.fullmatch(r"docker:\d+,azure-native:\d+,oci:\d+", printed)
    finally:
        served.terminate()
        served.communicate(timeout=60)
    assert served.returncode == 0


@pytest.mark.slow
def test_a_wrong_fault_is_explained_without_a_stack_trace(tmp_path: Path) -> None:
    command = [*_COMMAND, "docker", "--state", str(tmp_path), "--fault", "Create:boom"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "expected METHOD:NTH:KIND" in done.stderr
    assert "Traceback" not in done.stderr
