"""S3 and what speaks its protocol: MLflow deletes run by run, and does not look at what was
refused. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
"""

from collections.abc import Mapping
from typing import Any

from runtime.artifacts.bulk import path_of


class S3Bucket:
    """The bucket of an ``s3://`` URI, as MLflow logs in to it (`MLFLOW_S3_ENDPOINT_URL`, ...)."""

    most_in_a_batch = 1000

    def __init__(self, uri: str) -> None:
        from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

        repository: Any = S3ArtifactRepository(uri)
        self._client: Any = repository._get_s3_client()
        self._bucket = uri.split("/", 3)[2]

    def names(self, uri: str) -> list[str]:
        path = path_of(uri)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{path}/"
        )
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def delete(self, names: list[str]) -> Mapping[str, str]:
        objects = {"Objects": [{"Key": name} for name in names], "Quiet": True}
        answer = self._client.delete_objects(Bucket=self._bucket, Delete=objects)
        return {
            failed["Key"]: f"S3: {failed['Code']} {failed['Message']}"
            for failed in answer.get("Errors", ())
        }
