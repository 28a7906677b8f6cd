"""S3 and what speaks its protocol: MLflow deletes run by run, and does not look at what was
refused. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from runtime.artifacts.bulk import Found, Upload, path_of


class S3Bucket:
    """The bucket of an ``s3://`` URI, as MLflow logs in to it (`MLFLOW_S3_ENDPOINT_URL`, ...)."""

    most_in_a_batch = 1000

    def __init__(self, uri: str) -> None:
        from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

        repository: Any = S3ArtifactRepository(uri)
        self._client: Any = repository._get_s3_client()
        self._bucket = uri.split("/", 3)[2]

    def names(self, uri: str) -> list[str]:
        return [found["Key"] for found in self._pages("list_objects_v2", "Contents", uri)]

    def found(self, uri: str) -> Iterator[Found]:
        for each in self._pages("list_objects_v2", "Contents", uri):
            yield Found(each["Key"], each["Size"], each["LastModified"].timestamp())

    def unfinished(self, uri: str) -> Iterator[Upload]:
        for each in self._pages("list_multipart_uploads", "Uploads", uri):
            yield Upload(each["Key"], each["UploadId"], each["Initiated"].timestamp())

    def abort(self, upload: Upload) -> None:
        self._client.abort_multipart_upload(
            Bucket=self._bucket, Key=upload.name, UploadId=upload.id
        )

    def _pages(self, operation: str, part: str, uri: str) -> Iterator[Any]:
        pages = self._client.get_paginator(operation).paginate(
            Bucket=self._bucket, Prefix=f"{path_of(uri)}/"
        )
        return (each for page in pages for each in page.get(part, ()))

    def delete(self, names: list[str]) -> Mapping[str, str]:
        objects = {"Objects": [{"Key": name} for name in names], "Quiet": True}
        answer = self._client.delete_objects(Bucket=self._bucket, Delete=objects)
        return {
            failed["Key"]: f"S3: {failed['Code']} {failed['Message']}"
            for failed in answer.get("Errors", ())
        }
