"""Commands that put things right, as they are typed by whoever reads them. Pure.

A stack has its name in the environment of all its commands: who looks after it types `make`, for
that stack. Elsewhere, as with the image alone, `trackstack` is typed where doctor was.
"""

from runtime.settings import RuntimeSettings


def _flag(settings: RuntimeSettings) -> str:
    return "" if settings.stack in (None, "local") else f" STACK={settings.stack}"


def run(settings: RuntimeSettings, words: str) -> str:
    """A `trackstack` command."""
    if settings.stack:
        return f'make run{_flag(settings)} ARGS="{words}"'
    return f"trackstack {words}"


def token(settings: RuntimeSettings, name: str, role: str) -> str:
    """How a shared token is made."""
    if settings.stack:
        return f"make token{_flag(settings)} NAME={name} ROLE={role} EXPIRES=90d"
    return f"trackstack token add {name} --role {role} --expires 90d"


def own_token(settings: RuntimeSettings) -> str:
    """What prints the stack's own token."""
    return f"make token{_flag(settings)}"


def logs(settings: RuntimeSettings) -> str:
    """How the logs are seen."""
    return f"make logs{_flag(settings)}"


def status(settings: RuntimeSettings) -> str:
    """What writes the authority's file."""
    return f"make status{_flag(settings)}"


def start(settings: RuntimeSettings) -> str:
    """What to do where something does not run."""
    up, said = f"make up{_flag(settings)}", logs(settings)
    return f"{up} starts what does not run; {said} says why it ended"
