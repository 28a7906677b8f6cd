"""Owners are told by a webhook of what the scheduled prune is going to delete, before it does.

One POST of JSON to TRACKSTACK_PRUNE_WEBHOOK, by HTTPS alone: no redirect is followed, and the name
must lead to no address of this machine, its link or its cloud's metadata, which is looked up once,
so that it is the one that is reached. The address is a secret, and stands in no message.
"""

import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from runtime.errors import UserError
from runtime.retention.entities import KEEP_TAG, Stale
from runtime.retention.plan import counts

# Entities that one announcement lists; it counts all.
MOST = 1000
_SECONDS = 20
# Azure's, which is an address of the internet.
_METADATA = ipaddress.ip_address("168.63.129.16")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_NAME = "TRACKSTACK_PRUNE_WEBHOOK (pruneWebhook)"


def payload(
    entities: Sequence[Stale], server: str, now: datetime, notice: timedelta
) -> dict[str, Any]:
    """What is told of ``entities``, which stand in the reports since ``now``. Pure.

    ``text`` says it for a chat that shows nothing else.
    """
    number = {kind.value: found for kind, found in counts(entities).items()}
    told = ", ".join(f"{found} {kind}s" for kind, found in number.items() if found)
    begin = f"{now + notice:{_TIME}}"
    return {
        "event": "prune.announced",
        "server": server,
        "announced": f"{now:{_TIME}}",
        "deleted_from": begin,
        "text": f"{server}: {told} that nobody used will be deleted from {begin} on, unless they "
        f"are used before; the tag {KEEP_TAG}=true keeps them",
        "counts": number,
        "entities": [
            {
                "kind": entity.kind.value,
                "id": entity.key,
                "name": entity.name,
                "experiment": entity.experiment,
                "age_days": entity.age_days(now),
            }
            for entity in entities[:MOST]
        ],
        "is_whole": len(entities) <= MOST,
    }


def may_be_told(address: str) -> bool:
    """Whether an IP address is another machine's: private ones are, metadata's are not. Pure."""
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    found = mapped or found
    is_own = found.is_loopback or found.is_link_local or found.is_unspecified
    # What AWS and others answer their metadata at.
    is_metadata = found in (_METADATA, ipaddress.ip_address("fd00:ec2::254"))
    return not (is_own or is_metadata or found.is_multicast or found.is_reserved)


def address_of(host: str, port: int) -> str:
    """The address that a name leads to; UserError where one of them may not be told."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UserError(f"{_NAME}: {host} is not found: {error.strerror}", 75) from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if wrong := [address for address in addresses if not may_be_told(address)]:
        raise UserError(f"{_NAME}: {host} leads to {wrong[0]}, which is no other machine's", 2)
    return addresses[0]


class _Connection(http.client.HTTPSConnection):
    """To an address that was looked at; the certificate must be the name's."""

    def __init__(self, host: str, port: int, address: str) -> None:
        self._trust = ssl.create_default_context()
        super().__init__(host, port, timeout=_SECONDS, context=self._trust)
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), self.timeout)
        self.sock = self._trust.wrap_socket(plain, server_hostname=self.host)


def announce(url: str, told: Mapping[str, Any]) -> None:
    """Tell it; UserError (exit code 2: the address is wrong, 75: try again) where nobody heard."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        raise UserError(f"{_NAME} is no address", 2) from None
    if parts.scheme != "https" or not host or parts.username is not None:
        raise UserError(f"{_NAME} must be an https:// address without a user", 2)
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    connection = _Connection(host, port, address_of(host, port))
    try:
        connection.request("POST", path, json.dumps(told), {"Content-Type": "application/json"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"{_NAME}: {host} does not answer: {error}", 75) from None
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise UserError(f"{_NAME}: {host} answers {status}", 75)
