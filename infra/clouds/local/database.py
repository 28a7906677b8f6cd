"""The backend store: migrated before the server starts, backed up by the migration itself."""

import subprocess
from pathlib import Path
from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import Resource

from infra.clouds.local.identity import secret_file
from infra.clouds.local.supervisor import base_environment
from infra.clouds.shared.dynamic import DynamicProvider, Props
from infra.clouds.shared.generated import write_private
from runtime.process import trackstack


class _DatabaseProvider(DynamicProvider):
    def apply(self, props: Props) -> Props:
        uri = props.get("backend_store_uri")
        path = secret_file(props["data_dir"], "backend_store_uri")
        write_private(path, uri) if uri else path.unlink(missing_ok=True)
        done = subprocess.run(
            [trackstack(), "upgrade"],
            env=base_environment() | props["environment"],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(done.stderr.strip() or done.stdout.strip())
        return {}

    def remove(self, props: Props) -> None:
        """Leave it to the data directory; a database given by URI is not the stack's own."""

    def drifted(self, props: Props) -> bool:
        if uri := props.get("backend_store_uri"):
            path = secret_file(props["data_dir"], "backend_store_uri")
            return not path.exists() or path.read_text() != uri
        return not (Path(props["data_dir"]) / "store" / "mydb.sqlite").exists()


class Database(Resource, module="trackstack", name="LocalDatabase"):
    """Inputs: ``data_dir``, ``version`` (its change migrates), ``environment`` and, where it is
    not SQLite in the data directory, the secret ``backend_store_uri``.
    """

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions | None = None):
        super().__init__(_DatabaseProvider(), name, props, opts)
