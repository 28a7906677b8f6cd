"""Deleting from Azure Blob storage in bulk: 256 blobs a request, whatever run they are of.

MLflow deletes them one by one, and takes a run without a single blob for an error.
https://learn.microsoft.com/rest/api/storageservices/blob-batch
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from functools import partial
from itertools import groupby
from typing import Any

_MOST_IN_A_BATCH = 256
_DELETED, _WAS_NOT_THERE = 202, 404


def _container_of(uri: str) -> str:
    """What is before the path: container and account."""
    return uri.split("/", 3)[2]


def _open(uri: str) -> Any:
    """The container's client, as MLflow logs in to it."""
    from mlflow.store.artifact.azure_blob_artifact_repo import AzureBlobArtifactRepository

    kind: Any = AzureBlobArtifactRepository
    container, _, _, _ = kind.parse_wasbs_uri(uri)
    return kind(uri).client.get_container_client(container)


def _names(client: Any, uri: str) -> list[str]:
    from azure.core.exceptions import ResourceNotFoundError

    path = uri.split("/", 3)[3].rstrip("/")
    try:
        return [blob.name for blob in client.list_blobs(name_starts_with=f"{path}/")]
    except ResourceNotFoundError:
        return []


def delete_all(uris: Iterable[str], pool: Executor) -> dict[str, str]:
    """Delete all blobs under ``wasbs://`` URIs; returns those that failed, and why."""
    failed: dict[str, str] = {}
    for _, group in groupby(sorted(uris, key=_container_of), key=_container_of):
        failed |= _delete_in_container(list(group), pool)
    return failed


def _delete_in_container(uris: list[str], pool: Executor) -> dict[str, str]:
    try:
        client = _open(uris[0])
        listed = pool.map(partial(_names, client), uris)
        owners = {name: uri for uri, names in zip(uris, listed, strict=True) for name in names}
        outcomes = pool.map(partial(_delete_batch, client), _batches(list(owners)))
        return {owners[name]: reason for outcome in outcomes for name, reason in outcome.items()}
    except Exception as error:
        # The container cannot be had: none of its URIs is dealt with.
        return dict.fromkeys(uris, f"{type(error).__name__}: {str(error).splitlines()[0]}")


def _batches(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _MOST_IN_A_BATCH):
        yield names[start : start + _MOST_IN_A_BATCH]


def _delete_batch(client: Any, names: list[str]) -> Mapping[str, str]:
    answers = client.delete_blobs(*names, delete_snapshots="include", raise_on_any_failure=False)
    return {
        name: f"Blob storage answered {answer.status_code} {answer.reason}"
        for name, answer in zip(names, answers, strict=True)
        if answer.status_code not in (_DELETED, _WAS_NOT_THERE)
    }
