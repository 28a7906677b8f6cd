"""MLflow's jobs open what their server opens: its rule is in force in each of their processes, too.

MLflow imports this by its entry point with its registry of artifact repositories, in every process
that may open one. It does nothing in any other process than a job's, and is light there.
"""

import os
from typing import NoReturn

# Set for the runner of MLflow's jobs alone, which passes it on.
VARIABLE = "TRACKSTACK_IN_MLFLOW_JOB"


def no_repository(artifact_uri: str, **_where: str | None) -> NoReturn:
    """What the entry point names: the registry wants a repository of each."""
    raise ValueError(f"{artifact_uri} is no place of artifacts")


def _install() -> None:
    from runtime import settings
    from runtime.access.rules.locations import of_stack
    from runtime.access.served import places

    try:
        places.install(of_stack(settings.load()))
    except (AttributeError, ImportError) as error:
        # MLflow takes these for a repository that is not installed, and goes on.
        raise RuntimeError("nobody knows what this job may open") from error


if os.environ.get(VARIABLE):
    _install()
