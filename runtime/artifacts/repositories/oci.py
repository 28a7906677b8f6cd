"""MLflow artifacts in OCI Object Storage: ``oci://bucket@namespace/prefix``.

The plugin oci-mlflow goes through a file system of its own, holds uploads whole and signs them in
another way than downloads; MLflow has nothing of its own (its issue 25112).
"""

import posixpath
from pathlib import Path

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST
from mlflow.store.artifact.artifact_repo import ArtifactRepository

from runtime.oci.objects import NotDeletedError, parse


class OciArtifactRepository(ArtifactRepository):
    """MLflow finds it by its entry point for ``oci``."""

    def __init__(
        self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
    ) -> None:
        super().__init__(artifact_uri, tracking_uri, registry_uri)
        try:
            self._bucket, self._root = parse(artifact_uri)
        except ValueError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None

    def _name(self, path: str | None) -> str:
        return posixpath.join(*filter(None, (self._root, path)), "").rstrip("/")

    def log_artifact(self, local_file: str, artifact_path: str | None = None) -> None:
        file = Path(local_file)
        self._bucket.put(file, posixpath.join(self._name(artifact_path), file.name))

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        folder = Path(local_dir)
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            below = file.relative_to(folder).as_posix()
            self._bucket.put(file, posixpath.join(self._name(artifact_path), below))

    def list_artifacts(self, path: str | None = None) -> list[FileInfo]:
        prefix = f"{self._name(path)}/".lstrip("/")
        found: list[FileInfo] = []
        for entry, is_folder in self._bucket.entries(prefix):
            name = str(entry if is_folder else entry.name)
            # Some tools mark a folder with an empty object of its name.
            if name != prefix:
                below = posixpath.relpath(name, self._root or ".")
                found.append(FileInfo(below, is_folder, None if is_folder else int(entry.size)))
        return sorted(found, key=lambda info: str(info.path))

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        name = self._name(remote_file_path)
        try:
            self._bucket.fetch(name, Path(local_path))
        except FileNotFoundError:
            raise MlflowException(
                f"No such file or directory: '{name}'", error_code=RESOURCE_DOES_NOT_EXIST
            ) from None

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        name = self._name(artifact_path)
        below = [found.name for found in self._bucket.objects(f"{name}/")]
        # A path names a file as well as a folder.
        names = [*below, name] if artifact_path else below
        try:
            self._bucket.delete_all(names)
        except NotDeletedError as error:
            raise MlflowException(str(error)) from None
