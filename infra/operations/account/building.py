"""Whether this machine builds the stack's image."""

import shutil
import subprocess

from infra.operations.account import Check

_SECONDS = 10


def answers() -> bool:
    """Whether an image can be built here."""
    if not shutil.which("docker"):
        return False
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def decide(answered: bool, *others: str) -> Check:
    """``others`` are what may be done instead of starting it."""
    elsewhere = "name an image that is built elsewhere: trackstack:image: HOST/NAME@sha256:..."
    return Check(
        "Docker",
        answered,
        "builds the image here" if answered else "does not answer here",
        ", or ".join(("start Docker", *others, elsewhere)),
    )


def check(*others: str) -> Check:
    """Ask, and decide."""
    return decide(answers(), *others)
