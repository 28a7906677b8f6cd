"""Errors that a rehearsed cloud returns to the engine."""

from typing import Any

from infra.rehearsal.provider.values import Props


class CloudError(Exception):
    """The cloud refuses a request, with the code and the text that its users know it by."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code = code
        self.status = status
        super().__init__(message)


class NotReadyError(Exception):
    """The object was made, but did not start: Pulumi keeps it and repairs it in the next update."""

    def __init__(self, id: str, props: Props, *reasons: str) -> None:
        self.id = id
        self.props = props
        self.reasons = reasons
        super().__init__("; ".join(reasons))


class CancelledError(Exception):
    """The engine asked for all running calls to end."""


class DroppedError(Exception):
    """The response does not reach the engine."""

    def __init__(self, code: Any, message: str) -> None:
        self.code = code
        super().__init__(message)
