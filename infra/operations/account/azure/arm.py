"""Azure Resource Manager, asked by the login of `az`.

What it answers: https://learn.microsoft.com/rest/api/azure
"""

import base64
import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

ENDPOINT = "https://management.azure.com"
_SECONDS = 30
# By which the provider logs in itself, with no `az`.
_OWN_LOGINS = ("ARM_CLIENT_ID", "ARM_USE_OIDC", "ARM_USE_MSI")

Body = Mapping[str, Any]


class ArmError(Exception):
    """What Azure, or `az`, said instead of an answer; ``status`` is 0 where it was `az`."""

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class OtherLoginError(ArmError):
    """The stack is brought up by a login that is not `az`'s."""


@dataclass(frozen=True)
class Arm:
    """Of one subscription; ``token`` is the login's."""

    subscription: str
    token: str

    @property
    def root(self) -> str:
        return f"/subscriptions/{self.subscription}"

    @property
    def login(self) -> str | None:
        """The object id of whose token it is.

        https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
        """
        try:
            claims = self.token.split(".")[1]
            read = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
            return str(read["oid"])
        except (IndexError, ValueError, KeyError, TypeError):
            return None

    def ask(self, path: str, version: str, body: Body | None = None, **query: str) -> Body:
        """What Azure answers at a path: by GET, or by POST where there is a ``body``.

        Raises ArmError where it refuses, OSError where it cannot be reached.
        """
        asked = urllib.request.Request(  # noqa: S310 - Azure's own
            f"{ENDPOINT}{path}?{urlencode({'api-version': version, **query})}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=_SECONDS) as answer:  # noqa: S310
                return cast(Body, json.load(answer))
        except urllib.error.HTTPError as error:
            raise _error(error.code, error.read()) from None


def at(content: Any, *names: str) -> Any:
    """What stands in an answer under names within names; None where nothing does."""
    for name in names:
        content = cast(Body, content).get(name) if isinstance(content, dict) else None
    return content


def each(content: Any, *names: str) -> list[Any]:
    """The list that stands there; empty where none does."""
    return list(at(content, *names) or ())


def _error(status: int, body: bytes) -> ArmError:
    try:
        said = json.loads(body)["error"]["message"]
        return ArmError(f"{said} ({status})".splitlines()[0], status)
    except (ValueError, TypeError, KeyError, IndexError):
        return ArmError(f"Azure answers {status}", status)


def is_label_free(hostname: str) -> Body:
    """Whether nobody has a name of a container group, as Azure would say of a machine's.

    Of container groups it tells nobody, so that the name is looked up.
    """
    try:
        socket.getaddrinfo(hostname, None)
    except OSError:
        return {"available": True}
    return {"available": False}


def log_in(subscription: str) -> Arm:
    """By `az login`; raises ArmError where that has not been, OtherLoginError where it need not."""
    asked = ["az", "account", "get-access-token", "--subscription", subscription]
    command = [*asked, "--resource", ENDPOINT, "--output", "json"]
    given = next((name for name in _OWN_LOGINS if os.environ.get(name)), None)
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * _SECONDS
        )
        if done.returncode == 0:
            return Arm(subscription, str(json.loads(done.stdout)["accessToken"]))
        reason = (done.stderr.strip().splitlines() or ["az does not say why"])[-1]
    except FileNotFoundError:
        reason = "there is no `az` on PATH"
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as error:
        reason = f"az does not answer: {type(error).__name__}"
    if given:
        raise OtherLoginError(f"by {given}, which cannot be tried here ({reason})")
    raise ArmError(reason.removeprefix("ERROR: "))
