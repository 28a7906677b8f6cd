"""Whether the server that was deployed is the one that answers users."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runtime import doctor
from runtime import settings as runtime_settings
from runtime.doctor import Finding
from runtime.settings import RuntimeSettings

_Check = Callable[[RuntimeSettings], Finding]
_LOOK_AGAIN_SECONDS = 2


@contextmanager
def environment_of(outputs: Mapping[str, Any]) -> Generator[dict[str, str]]:
    """The variables of a client of the stack that exports ``outputs``, with its secrets."""
    with TemporaryDirectory() as folder:
        authority = None
        # A certificate of the stack file's may be of an authority that this machine does not know.
        if trusted := outputs.get("ca_certificate") or outputs.get("server_certificate"):
            authority = Path(folder) / "ca.pem"
            authority.write_text(str(trusted))
        yield runtime_settings.environment_of(
            given_tracking_uri=outputs["tracking_uri"],
            tracking_token=outputs["tracking_token"],
            tracking_certificate=authority,
        )


@contextmanager
def client_of(outputs: Mapping[str, Any]) -> Generator[RuntimeSettings]:
    """The settings of such a client."""
    with environment_of(outputs) as environment:
        yield runtime_settings.load(environment)


def check(
    outputs: Mapping[str, Any],
    seconds: float = 0,
    checks: Sequence[_Check] = doctor.REMOTE_CHECKS,
) -> list[str]:
    """What is not well with a server: its answer, its access check, an artifact's way, its image.

    Asks as its clients do: by its public address, with its certificate and its token. A server does
    not start on a backend store of another schema, so one that answers is migrated. Asks again for
    ``seconds``, while a new one starts and the one before still answers.
    """
    deadline = time.monotonic() + seconds
    with client_of(outputs) as settings:
        while True:
            found = [one(settings) for one in checks]
            problems = [f"{one.check}: {one.found}" for one in found if not one.well]
            runs = None if problems else doctor.image_of(settings)
            if runs and runs != outputs.get("image"):
                problems = [f"server: still runs {runs}"]
            if not problems or time.monotonic() >= deadline:
                return problems
            time.sleep(_LOOK_AGAIN_SECONDS)
