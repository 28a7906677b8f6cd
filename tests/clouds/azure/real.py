"""What makes a rehearsed Azure real: the ground, and who may do what on it."""

from dataclasses import dataclass

from tests.clouds.azure.entra import Entra
from tests.clouds.ground import Ground


@dataclass(frozen=True)
class Real:
    """Both live as long as the process that serves the cloud."""

    ground: Ground
    entra: Entra
