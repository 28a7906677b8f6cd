"""What ends a rehearsal, each in one line for its user."""


class RehearsalError(Exception):
    """Why a rehearsal cannot go on, and where possible what to do about it."""


class EngineError(RehearsalError):
    """A command of the engine has failed: ``summary`` is one line, ``output`` all it printed."""

    def __init__(self, summary: str, output: str = "") -> None:
        super().__init__(f"{summary}\n{output}".rstrip())
        self.summary, self.output = summary, output
