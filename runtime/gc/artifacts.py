"""Deleting artifacts: several locations at once, each on its own; one failure stops no other."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast
from urllib.parse import urlsplit

from runtime.paths import local_directory

_THREADS = 16


def resolve(uri: str, destination: str) -> str:
    """The store behind a proxied URI: ``mlflow-artifacts:/1/ab`` lies under the destination."""
    parts = urlsplit(uri)
    if parts.scheme != "mlflow-artifacts":
        return uri
    return f"{destination.rstrip('/')}/{parts.path.lstrip('/')}"


def _delete_directory(uri: str) -> None:
    directory = local_directory(uri)
    if directory is None or not directory.exists():
        return
    # The run's folder holds nothing but its artifacts; an emptied one is of no use.
    shutil.rmtree(directory)
    if directory.name == "artifacts" and not any(directory.parent.iterdir()):
        directory.parent.rmdir()


def _is_missing(error: Exception) -> bool:
    """Some stores (Azure Blob) answer "not found" for a location without a single artifact."""
    return getattr(error, "status_code", None) == 404 or "ResourceNotFound" in str(error)


def _delete_from_store(uri: str) -> None:
    from mlflow.store.artifact import artifact_repository_registry as registry

    repository = cast(Any, registry).get_artifact_repository(uri)
    if not repository.list_artifacts():
        return
    try:
        repository.delete_artifacts()
    except Exception as error:
        if not _is_missing(error):
            raise


def delete_location(uri: str) -> None:
    """Delete everything under a resolved artifact URI; one that is not there is no error."""
    if local_directory(uri) is not None:
        _delete_directory(uri)
    else:
        _delete_from_store(uri)


def delete_all(
    locations: Iterable[str], delete: Callable[[str], None] = delete_location
) -> Mapping[str, str]:
    """Delete all locations concurrently; returns those that failed, with the reason."""

    def attempt(uri: str) -> tuple[str, str | None]:
        try:
            delete(uri)
        except Exception as error:
            return uri, f"{type(error).__name__}: {error}"
        return uri, None

    with ThreadPoolExecutor(_THREADS) as pool:
        outcomes = list(pool.map(attempt, locations))
    return {uri: reason for uri, reason in outcomes if reason is not None}
