"""What the provider protocol sends back: errors with details, and how a property changes."""

import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any, NoReturn, Protocol, cast

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from pulumi.runtime.proto import provider_pb2, status_pb2

from infra.rehearsal.provider.errors import NotReadyError
from infra.rehearsal.provider.values import Path, Props, encode, has_unknown


class Context(Protocol):
    """The part of grpc.ServicerContext that is used; grpcio has no types."""

    def abort(self, code: Any, details: str) -> NoReturn: ...
    def abort_with_status(self, status: Any) -> NoReturn: ...
    def peer(self) -> str: ...


def not_ready(error: NotReadyError, secrets: Iterable[Path]) -> Any:
    """The gRPC status of an object that was made, but did not start."""
    detail = AnyMessage()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.id, properties=encode(error.props, secrets), reasons=error.reasons
        )
    )
    code = grpc.StatusCode.UNKNOWN
    packed = status_pb2.Status(code=code.value[0], message=str(error), details=[detail])

    class Status(cast("type[Any]", cast("Any", grpc).Status)):
        details = str(error)
        trailing_metadata = (("grpc-status-details-bin", packed.SerializeToString()),)

    Status.code = code
    return Status()


def differences(path: str, old: Any, new: Any) -> Iterator[str]:
    """The paths at which two values differ, as deep as they go, in the engine's spelling."""
    if isinstance(old, dict) and isinstance(new, dict):
        olds, news = cast("Props", old), cast("Props", new)
        for name in sorted({*olds, *news}):
            step = f".{name}" if re.fullmatch(r"\w+", name) else f'["{name}"]'
            yield from differences(f"{path}{step}", olds.get(name), news.get(name))
    elif isinstance(old, list) and isinstance(new, list):
        listed = zip_longest(cast("list[Any]", old), cast("list[Any]", new))
        for index, (one, other) in enumerate(listed):
            yield from differences(f"{path}[{index}]", one, other)
    elif old != new or has_unknown(new):
        yield path


def _property_diff(
    name: str, olds: Props, news: Props, replaces: bool
) -> provider_pb2.PropertyDiff:
    """How one property changes."""
    kinds = provider_pb2.PropertyDiff
    if name not in olds:
        kind = kinds.ADD_REPLACE if replaces else kinds.ADD
    elif name not in news:
        kind = kinds.DELETE_REPLACE if replaces else kinds.DELETE
    else:
        kind = kinds.UPDATE_REPLACE if replaces else kinds.UPDATE
    return provider_pb2.PropertyDiff(kind=kind, inputDiff=True)


def detailed(
    name: str, olds: Props, news: Props, replaces: bool
) -> Iterator[tuple[str, provider_pb2.PropertyDiff]]:
    """How one property changes, at each path in it where it does."""
    how = _property_diff(name, olds, news, replaces)
    is_deep = name in olds and name in news
    paths = list(differences(name, olds.get(name), news.get(name))) if is_deep else []
    for path in paths or [name]:
        yield path, how
