"""The name by which stacks of 0.2.0 know what waits: the engine finds its class by it."""

from infra.clouds.shared.settled import SettledProvider

__all__ = ["SettledProvider"]
