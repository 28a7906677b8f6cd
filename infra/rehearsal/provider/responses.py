"""What the provider protocol sends back: errors with details, and how a property changes."""

from collections.abc import Iterable
from typing import Any, NoReturn, Protocol, cast

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from pulumi.runtime.proto import provider_pb2, status_pb2

from infra.rehearsal.provider.errors import NotReadyError
from infra.rehearsal.provider.values import Path, Props, encode


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


def property_diff(name: str, olds: Props, news: Props, replaces: bool) -> provider_pb2.PropertyDiff:
    """How one property changes."""
    kinds = provider_pb2.PropertyDiff
    if name not in olds:
        kind = kinds.ADD_REPLACE if replaces else kinds.ADD
    elif name not in news:
        kind = kinds.DELETE_REPLACE if replaces else kinds.DELETE
    else:
        kind = kinds.UPDATE_REPLACE if replaces else kinds.UPDATE
    return provider_pb2.PropertyDiff(kind=kind, inputDiff=True)
