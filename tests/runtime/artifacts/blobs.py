"""A storage account of this machine: Azurite, by npm."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.rehearsal.host import azurite
from infra.rehearsal.system.waiting import wait_for

ACCOUNT, KEY = "trackstack", "dHJhY2tzdGFjayB0ZXN0cyBvbmx5"


@contextmanager
def account(folder: Path) -> Generator[Any]:
    """Its client; where it is stands in AZURE_STORAGE_CONNECTION_STRING."""
    from azure.storage.blob import BlobServiceClient

    program, port = azurite.command("127.0.0.1", folder)
    accounts = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    where = (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
        f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT};"
    )
    with (
        subprocess.Popen(program, env=accounts, stdout=subprocess.DEVNULL) as process,
        pytest.MonkeyPatch.context() as environment,
    ):
        try:
            client: Any = BlobServiceClient.from_connection_string(where, retry_total=0)

            def is_up() -> bool:
                try:
                    return list(client.list_containers()) == []
                except Exception:
                    return False

            wait_for(is_up, "Azurite", 60)
            environment.setenv("AZURE_STORAGE_CONNECTION_STRING", where)
            yield client
        finally:
            process.terminate()
