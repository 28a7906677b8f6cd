"""The stack's bearer token. The processes run as the user who ran `pulumi up`."""

from pathlib import Path

from pulumi import ResourceOptions

from infra.clouds.shared.generated import GeneratedSecret


def token_file(data_dir: str) -> Path:
    """Where the server and its jobs read the token from; mode 0600."""
    return Path(data_dir) / "secrets" / "tracking_token"


def make_token(data_dir: str, opts: ResourceOptions) -> GeneratedSecret:
    """The token, which outlives `pulumi destroy` with the data: clients still have it."""
    path = token_file(data_dir)
    return GeneratedSecret("token", {"directory": str(path.parent), "file": path.name}, opts)
