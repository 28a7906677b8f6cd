"""Objects in OCI Object Storage, by OCI's own SDK.

Large files go up in parts, several at a time, and down in pieces, so that memory stays small.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runtime.oci import login as oci_login

_PART_BYTES = 16 << 20
_PARTS_AT_ONCE = 3
_PIECE_BYTES = 1 << 20
# https://docs.oracle.com/iaas/Content/Object/Tasks/batch-delete-objects.htm
MOST_IN_A_BATCH = 1000
_NOT_FOUND = 404
_FIELDS = "name,size"


class NotDeletedError(OSError):
    """An object that is still there, and why."""


@functools.cache
def _storage() -> Any:
    return oci_login.client("object_storage", "ObjectStorageClient")


@functools.cache
def _uploads() -> Any:
    from oci.object_storage import UploadManager

    return UploadManager(_storage(), parallel_process_count=_PARTS_AT_ONCE)


@dataclass(frozen=True)
class Bucket:
    """One bucket; names are those of whole objects, without the URI's prefix."""

    namespace: str
    name: str

    def objects(self, prefix: str, fields: str = _FIELDS) -> Iterator[Any]:
        """All objects whose names begin with ``prefix``, with the service's ``fields`` of each:
        ``name`` and ``size`` in bytes.
        """
        return (found for found, is_folder in self._list(prefix, fields) if not is_folder)

    def entries(self, prefix: str) -> Iterator[tuple[Any, bool]]:
        """What a folder holds: an object and False, or the name of a folder and True."""
        return self._list(prefix, _FIELDS, delimiter="/")

    def _list(self, prefix: str, fields: str, **options: str) -> Iterator[tuple[Any, bool]]:
        start = None
        while True:
            page = _storage().list_objects(
                self.namespace, self.name, prefix=prefix, start=start, fields=fields, **options
            )
            yield from ((found, False) for found in page.data.objects)
            yield from ((folder, True) for folder in page.data.prefixes or ())
            start = page.data.next_start_with
            if not start:
                return

    def put(self, file: Path, name: str) -> None:
        """Upload a file; in parts where it is large, each with its checksum."""
        _uploads().upload_file(self.namespace, self.name, name, str(file), part_size=_PART_BYTES)

    def fetch(self, name: str, file: Path) -> None:
        """Download an object; raises FileNotFoundError where there is none."""
        from oci.exceptions import ServiceError

        try:
            answer = _storage().get_object(self.namespace, self.name, name)
        except ServiceError as error:
            if error.status != _NOT_FOUND:
                raise
            raise FileNotFoundError(name) from None
        with file.open("wb") as out:
            for piece in answer.data.raw.stream(_PIECE_BYTES, decode_content=False):
                out.write(piece)
        expected = int(answer.headers["content-length"])
        if file.stat().st_size != expected:
            raise OSError(f"{name}: {file.stat().st_size} of {expected} bytes came")

    def delete(self, names: list[str]) -> dict[str, str]:
        """Delete up to 1000 objects; returns those that are still there, and why."""
        from oci.object_storage import models

        sdk: Any = models
        details = sdk.BatchDeleteObjectsDetails(
            objects=[sdk.BatchDeleteObjectIdentifier(object_name=name) for name in names],
            is_skip_deleted_result=True,
        )
        answer = _storage().batch_delete_objects(self.namespace, self.name, details).data
        return {
            failed.object_name: f"Object Storage: {failed.status_code} {failed.error_message}"
            for failed in answer.failed or ()
            if failed.status_code != _NOT_FOUND
        }

    def delete_all(self, names: list[str]) -> None:
        """Delete any number of objects; raises NotDeletedError where one is left."""
        for start in range(0, len(names), MOST_IN_A_BATCH):
            if failed := self.delete(names[start : start + MOST_IN_A_BATCH]):
                raise NotDeletedError(next(f"{name}: {why}" for name, why in failed.items()))

    def empty(self) -> None:
        """Delete all objects, with all their versions and what uploads left behind."""
        self.delete_all([found.name for found in self.objects("")])
        place = (self.namespace, self.name)
        while versions := _storage().list_object_versions(*place).data.items:
            for version in versions:
                _storage().delete_object(*place, version.name, version_id=version.version_id)
        for upload in list(self.uploads()):
            self.abort(upload.object, upload.upload_id)

    def uploads(self) -> Iterator[Any]:
        """Uploads in parts that were begun and not ended."""
        page = None
        while True:
            more = {"page": page} if page else {}
            answer = _storage().list_multipart_uploads(self.namespace, self.name, **more)
            yield from answer.data
            page = answer.next_page
            if not page:
                return

    def abort(self, name: str, upload: str) -> None:
        """Drop an upload in parts, with the parts that came."""
        _storage().abort_multipart_upload(self.namespace, self.name, name, upload)


def parse(uri: str) -> tuple[Bucket, str]:
    """Bucket and path of an ``oci://`` URI; raises ValueError where it is none."""
    parts = urlsplit(uri)
    bucket, at, namespace = parts.netloc.partition("@")
    if parts.scheme != "oci" or not (bucket and at and namespace):
        raise ValueError(f"{uri} is no address in Object Storage: oci://bucket@namespace/prefix")
    return Bucket(namespace, bucket), parts.path.strip("/")
