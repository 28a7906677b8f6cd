"""How the scheduler tells the backend store of its jobs: by a process that ends.

It stays itself, and would keep a database's driver in memory for good.
"""

import json
import subprocess
import sys

_SECONDS = 60


def tell(**said: object) -> str | None:
    """Have `runs.main` note something; the reason where it could not be done."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "runtime.jobs.runs"],
            input=json.dumps(said),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    return done.stderr.strip().splitlines()[-1][:200] if done.returncode else None
