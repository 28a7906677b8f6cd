"""A command's time and memory."""

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

_EVERY_SECONDS = 0.02


def measured(command: list[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds and peak MiB of a command; raises RuntimeError where it fails.

    ``environment`` is added to this process's, without its own settings of MLflow and Trackstack.
    The peak is read from the process itself: what `wait4` tells counts the memory of who forked it.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "TRACKSTACK"))}
    began, peak = time.monotonic(), 0
    process = subprocess.Popen(
        command,
        env={**inherited, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            lines = status.read_text().splitlines()
        except OSError:
            break
        peak = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), peak)
        time.sleep(_EVERY_SECONDS)
    if process.wait():
        raise RuntimeError(f"{command[1]} failed with {process.returncode}")
    return time.monotonic() - began, peak / 1024
