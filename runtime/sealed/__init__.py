"""What MLflow keeps encrypted in the backend store, the gateway's API keys and webhooks' secrets.

Both lie under keys made of one that the stack keeps for nothing else: it is in no backup, and a
token that leaks opens nothing.
"""

from dataclasses import dataclass

import click
from sqlalchemy import Engine

from runtime.sealed import gateway, webhooks
from runtime.settings import RuntimeSettings, variable


@dataclass(frozen=True)
class Rewrapped:
    """``done`` are under the newest key now; of ``left``, by name, this process has no key."""

    done: int
    left: tuple[str, ...]


def environment(settings: RuntimeSettings) -> dict[str, str]:
    """What MLflow must be told."""
    return webhooks.environment(settings) | gateway.environment(settings)


def rewrap(settings: RuntimeSettings, engine: Engine) -> Rewrapped:
    """Put all that lies under an earlier key under the newest one, and say what cannot be."""
    secrets, hooks = gateway.rewrap(settings, engine), webhooks.rewrap(settings, engine)
    named = [f"secret {name!r}" for name in secrets[1]] + [f"webhook {name!r}" for name in hooks[1]]
    result = Rewrapped(secrets[0] + hooks[0], tuple(named))
    if result.done:
        click.echo(f"trackstack: {result.done} secrets in the store have a new key", err=True)
    if result.left:
        click.echo(
            f"trackstack: warning: under a key that is not here lie {', '.join(named)}: add it to "
            f"{variable('secrets_key')} after the newest, or set them again",
            err=True,
        )
    return result
