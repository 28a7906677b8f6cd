"""MLflow's own uploads to Blob storage, on Azurite."""

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.runtime.artifacts.blobs import ACCOUNT, account

pytestmark = pytest.mark.slow


def test_a_file_of_more_than_nine_parts_goes_up_in_parts(tmp_path: Path) -> None:
    """500 MB, from which on clients send parts, are fifty of MLflow's size."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    (tmp_path / "large.bin").write_bytes(b"")
    with account(tmp_path) as blobs:
        blobs.create_container("artifacts")
        root = f"wasbs://artifacts@{ACCOUNT}.blob.core.windows.net/store"
        repository: Any = get_artifact_repository(root)
        made = repository.create_multipart_upload("large.bin", 12, "runs")
        for part in made.credentials:
            sent = requests.put(part.url, data=f"{part.part_number};", timeout=60)
            assert sent.status_code == 201, sent.text
        # As the client gives them back.
        repository.complete_multipart_upload("large.bin", None, made.credentials, "runs")
        blob = blobs.get_blob_client("artifacts", "store/runs/large.bin")
        assert blob.download_blob().readall() == b"1;2;3;4;5;6;7;8;9;10;11;12;"
