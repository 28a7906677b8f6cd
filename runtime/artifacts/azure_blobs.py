"""Azure Blob storage in bulk: MLflow deletes blobs one by one, and takes a run without a single
blob for an error. https://learn.microsoft.com/rest/api/storageservices/blob-batch
"""

from collections.abc import Iterator, Mapping
from typing import Any

from runtime.artifacts.bulk import Found, Upload, path_of

_DELETED, _WAS_NOT_THERE = 202, 404


class BlobContainer:
    """The container of a ``wasbs://`` URI, as MLflow logs in to it."""

    most_in_a_batch = 256

    def __init__(self, uri: str) -> None:
        from mlflow.store.artifact.azure_blob_artifact_repo import AzureBlobArtifactRepository

        kind: Any = AzureBlobArtifactRepository
        container, _, _, _ = kind.parse_wasbs_uri(uri)
        self._client: Any = kind(uri).client.get_container_client(container)

    def names(self, uri: str) -> list[str]:
        return [blob.name for blob in self._blobs(uri)]

    def found(self, uri: str) -> Iterator[Found]:
        for blob in self._blobs(uri):
            yield Found(blob.name, blob.size, blob.last_modified.timestamp())

    def _blobs(self, uri: str) -> Iterator[Any]:
        from azure.core.exceptions import ResourceNotFoundError

        path = path_of(uri)
        try:
            yield from self._client.list_blobs(name_starts_with=f"{path}/")
        except ResourceNotFoundError:
            return

    def unfinished(self, uri: str) -> Iterator[Upload]:
        # Blocks that were never committed go by themselves after a week.
        return iter(())

    def abort(self, upload: Upload) -> None:
        raise NotImplementedError(f"{upload.name}: there are no unfinished uploads here")

    def delete(self, names: list[str]) -> Mapping[str, str]:
        answers = self._client.delete_blobs(
            *names, delete_snapshots="include", raise_on_any_failure=False
        )
        return {
            name: f"Blob storage answered {answer.status_code} {answer.reason}"
            for name, answer in zip(names, answers, strict=True)
            if answer.status_code not in (_DELETED, _WAS_NOT_THERE)
        }
