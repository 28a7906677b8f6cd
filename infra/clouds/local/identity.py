"""The secrets that the processes authenticate with; they run as the user of `pulumi up`."""

from pathlib import Path
from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import Resource

from infra.clouds.shared.dynamic import DynamicProvider, Props
from infra.clouds.shared.generated import GeneratedSecret, write_private
from infra.plan.local import secrets_directory


def secret_file(data_dir: str, name: str) -> Path:
    """Where the server and its jobs read a secret from; mode 0600."""
    return Path(secrets_directory(data_dir)) / name


def make_token(name: str, data_dir: str, opts: ResourceOptions, **inputs: Any) -> GeneratedSecret:
    """A token, which outlives `pulumi destroy` with the data: clients still have it.

    ``inputs`` are more of GeneratedSecret's.
    """
    path = secret_file(data_dir, name)
    props = {"directory": str(path.parent), "file": path.name, **inputs}
    return GeneratedSecret(name.replace("_", "-"), props, opts)


class _SecretFileProvider(DynamicProvider):
    replaced_by = frozenset({"data_dir", "file"})

    def apply(self, props: Props) -> Props:
        write_private(secret_file(props["data_dir"], props["file"]), props["value"])
        return {}

    def remove(self, props: Props) -> None:
        secret_file(props["data_dir"], props["file"]).unlink(missing_ok=True)

    def drifted(self, props: Props) -> bool:
        path = secret_file(props["data_dir"], props["file"])
        return not path.exists() or path.read_text() != props["value"]


class SecretFile(Resource, module="trackstack", name="LocalSecretFile"):
    """A secret of the stack file, for a process to read. Inputs: ``data_dir``, ``file`` and the
    secret ``value``.
    """

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        super().__init__(_SecretFileProvider(), name, props, opts)
