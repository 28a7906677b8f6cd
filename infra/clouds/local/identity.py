"""The stack's bearer token. The processes run as the user who ran `pulumi up`."""

import secrets
from pathlib import Path
from typing import Any

from pulumi import Output, ResourceOptions
from pulumi.dynamic import Resource

from infra.clouds.local.directory import write_private
from infra.clouds.local.provider import LocalProvider, Props


def token_file(data_dir: str) -> Path:
    """Where the server and its jobs read the token from; mode 0600."""
    return Path(data_dir) / "secrets" / "tracking_token"


class _TokenProvider(LocalProvider):
    computed = frozenset({"value"})

    def apply(self, props: Props) -> Props:
        path = token_file(props["data_dir"])
        # A token that outlived `pulumi destroy` with the data is still the one clients have.
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32))
        return {"value": path.read_text().strip()}

    def remove(self, props: Props) -> None:
        """Leave it to the data directory, which knows whether the data are kept."""

    def drifted(self, props: Props) -> bool:
        path = token_file(props["data_dir"])
        return not path.exists() or path.read_text().strip() != props["value"]


class Token(Resource, module="trackstack", name="LocalToken"):
    """Input: ``data_dir``. Output ``value``: 256 random bits as 43 URL-safe characters, secret."""

    value: Output[str]

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        secret = ResourceOptions(additional_secret_outputs=["value"])
        super().__init__(
            _TokenProvider(), name, {**props, "value": None}, ResourceOptions.merge(opts, secret)
        )
