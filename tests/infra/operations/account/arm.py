"""Azure Resource Manager and `az` for a test: they answer as documented, from a table.

Where a body is from: each function's own link, below https://learn.microsoft.com/rest/api/.
"""

import base64
import json
import socket
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from infra.operations.account.azure import arm
from tests.infra.operations.account.roles import OBJECT, answered

SUBSCRIPTION = "0b1f6471-1bf0-4dda-aec3-111122223333"
ROOT = f"/subscriptions/{SUBSCRIPTION}"
REGION = "westeurope"
NETWORK = f"{ROOT}/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/hub"
# As Entra ID's access tokens are made: https://learn.microsoft.com/entra/identity-platform/access-tokens
_TOKEN = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
    for part in ({"alg": "RS256", "typ": "JWT"}, {"oid": OBJECT, "tid": "t"}, "signature")
)
# `az account get-access-token`: https://learn.microsoft.com/cli/azure/account
_AZ = """#!/bin/sh
[ "$1 $2 $3 $4" = "account get-access-token --subscription {subscription}" ] || exit 2
echo '{{"accessToken": "{token}", "expiresOn": "2099-01-01 00:00:00.000000",\
 "subscription": "{subscription}", "tenant": "t", "tokenType": "Bearer"}}'
"""
# As it says where nobody is logged in, with exit code 1.
_NOBODY = """#!/bin/sh
echo "ERROR: Please run 'az login' to setup account." >&2
exit 1
"""
_LOOK_UP = socket.getaddrinfo
Answers = dict[str, tuple[int, Any]]


def usages(**left: float) -> dict[str, Any]:
    """compute/usage/list, and alike storage, network, container-instances, containerapps."""
    listed = [
        {
            "unit": "Count",
            "currentValue": 3,
            "limit": 3 + number,
            "name": {"value": name, "localizedValue": name},
        }
        for name, number in left.items()
    ]
    return {"value": listed}


def refused(code: str, message: str) -> dict[str, Any]:
    """An error of ARM's: azure/azure-resource-manager/management/common-errors."""
    return {"error": {"code": code, "message": message}}


def postgresql(*sizes: str, restricted: bool = False) -> dict[str, Any]:
    """postgresql/capabilities-by-location/list"""
    skus = [{"name": size, "supportedHaMode": ["SameZone", "ZoneRedundant"]} for size in sizes]
    return {
        "value": [
            {
                "name": "FlexibleServerCapabilities",
                "restricted": "Enabled" if restricted else "Disabled",
                "zoneRedundantHaSupported": "Enabled",
                "supportedServerEditions": [{"name": "Any", "supportedServerSkus": skus}],
            }
        ]
    }


def mysql(*sizes: str) -> dict[str, Any]:
    """mysql/location-based-capabilities/list"""
    versions = [{"name": "8.4", "supportedSkus": [{"name": size} for size in sizes]}]
    editions = [{"name": "GeneralPurpose", "supportedServerVersions": versions}]
    zone = {"zone": "1", "supportedHAMode": ["SameZone"]}
    return {"value": [zone | {"supportedFlexibleServerEditions": editions}]}


def network(region: str = "westeurope", **subnets: str) -> dict[str, Any]:
    """virtualnetwork/virtual-networks/get; the first subnet is delegated."""
    to = [{"name": "x", "properties": {"serviceName": "Microsoft.Web/serverFarms"}}]
    made = [
        {"name": name, "properties": {"addressPrefix": prefix, "delegations": [] if number else to}}
        for number, (name, prefix) in enumerate(subnets.items())
    ]
    space = {"addressPrefixes": ["10.60.0.0/16"]}
    held = {"addressSpace": space, "subnets": made}
    return {"id": NETWORK, "name": "hub", "location": region, "properties": held}


def sizes(family: str, *names: str, restricted: bool = False) -> dict[str, Any]:
    """compute/resource-skus/list"""
    location = {"type": "Location", "values": [REGION], "reasonCode": "NotAvailableForSubscription"}
    return {
        "value": [
            {
                "resourceType": "virtualMachines",
                "name": name,
                "family": family,
                "capabilities": [{"name": "vCPUs", "value": "2"}],
                "restrictions": [location] if restricted else [],
            }
            for name in names
        ]
    }


def registered(*namespaces: str) -> dict[str, Any]:
    """resources/providers/list"""
    return {"value": [{"namespace": n, "registrationState": "Registered"} for n in namespaces]}


def linked(zone: str, *networks: str) -> dict[str, Any]:
    """dns/privatedns/virtual-network-links/list"""
    links = [{"properties": {"virtualNetwork": {"id": network}}} for network in networks]
    named = [link | {"id": f"{zone}/virtualNetworkLinks/{n}"} for n, link in enumerate(links)]
    return {"value": named}


@dataclass
class StandIn:
    """``answers`` by path, and what was asked: what is not in it is not there."""

    answers: Answers
    asked: list[tuple[str, str, Any]] = field(default_factory=list[tuple[str, str, Any]])
    taken: set[str] = field(default_factory=set[str])
    """Names that DNS knows, besides this machine's."""

    def look_up(self, host: str, port: Any, *more: Any, **options: Any) -> Any:
        if host not in self.taken | {"127.0.0.1"}:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return _LOOK_UP("127.0.0.1", port, *more, **options)

    def answer(self, method: str, target: str, token: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(target)
        path = unquote(parts.path)
        self.asked.append((method, path, body))
        if token != f"Bearer {_TOKEN}":
            return 401, refused("AuthenticationFailed", "Authentication failed.")
        if "api-version=" not in parts.query:
            return 400, refused("MissingApiVersionParameter", "The api-version is required.")
        query = "".join(parse_qs(parts.query).get("$filter", []))
        if of_roles := answered(self.answers, path, query):
            return of_roles
        # A group that is not there has an error of its own: resources/resource-groups/get
        code = "ResourceGroupNotFound" if path.count("/") == 4 else "ResourceNotFound"
        return self.answers.get(path, (404, refused(code, f"{path} was not found.")))


@contextmanager
def standing_in(
    answers: Mapping[str, Any], folder: Path, *, logged_in: bool = True
) -> Generator[StandIn]:
    """Within the block, Azure and `az` are these. What is no pair in ``answers`` is a 200's."""
    table: Answers = {
        path: cast("tuple[int, Any]", given) if isinstance(given, tuple) else (200, given)
        for path, given in answers.items()
    }
    cloud = StandIn(table)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            token = self.headers.get("Authorization", "")
            status, said = cloud.answer(self.command, self.path, token, body)
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    az = folder / "az"
    az.write_text(_AZ.format(subscription=SUBSCRIPTION, token=_TOKEN) if logged_in else _NOBODY)
    az.chmod(0o755)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(arm, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
            patched.setenv("PATH", f"{folder}:/usr/bin:/bin")
            patched.setenv("no_proxy", "127.0.0.1")
            patched.setattr(socket, "getaddrinfo", cloud.look_up)
            yield cloud
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
