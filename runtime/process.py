"""How the runtime starts its own command, and what keeps a killed process from leaving orphans."""

import ctypes
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# What the server puts into its own environment for MLflow, as the database with its password.
_SERVERS_OWN = ("_MLFLOW_", "MLFLOW_CRYPTO_KEK_")


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


def start_beside(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Start the runtime's command from within the server, and take note of its end.

    It has what the server was started with of ``environment``, and writes to the server's log.
    """
    environment = {k: v for k, v in environment.items() if not k.startswith(_SERVERS_OWN)}
    process = subprocess.Popen(
        [trackstack(), *arguments], stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment
    )
    # Whom nobody waits for stays a dead process.
    threading.Thread(target=process.wait, daemon=True).start()
