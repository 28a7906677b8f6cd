"""Serving rehearsed clouds to an engine."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.servicer import Servicer

# As the engine's own: a state may hold whole files.
_MESSAGE_BYTES = 400 * 1024 * 1024


@contextmanager
def serving(*clouds: Cloud) -> "Generator[str]":
    """Serve clouds on free ports of loopback; yields the value of PULUMI_DEBUG_PROVIDERS."""
    servers: list[Any] = []
    attached: list[str] = []
    limits = [("grpc.max_receive_message_length", _MESSAGE_BYTES)]
    limits.append(("grpc.max_send_message_length", _MESSAGE_BYTES))
    try:
        for cloud in clouds:
            server = cast("Any", grpc).server(ThreadPoolExecutor(max_workers=32), options=limits)
            provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(cloud), server)
            attached.append(f"{cloud.name}:{server.add_insecure_port('127.0.0.1:0')}")
            server.start()
            servers.append(server)
        yield ",".join(attached)
    finally:
        for cloud in clouds:
            cloud.cancelled.set()
        for server in servers:
            server.stop(grace=1).wait()
        for cloud in clouds:
            cloud.close()
