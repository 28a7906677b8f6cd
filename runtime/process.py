"""How the runtime starts its own command, and what keeps a killed process from leaving orphans."""

import ctypes
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent(sig: int = signal.SIGTERM) -> None:
    """Have the kernel send ``sig`` to this process when its parent dies, however it dies.

    Without it, a SIGKILL of the parent leaves this process holding the port. Linux only
    (prctl(2)); elsewhere it does nothing.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, sig)


def trackstack() -> str:
    """The runtime's command in the environment that runs this program."""
    return str(Path(sys.executable).with_name("trackstack"))
