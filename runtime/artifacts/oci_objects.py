"""OCI Object Storage in bulk."""

from collections.abc import Iterator, Mapping

from runtime.artifacts.bulk import Found, Upload, path_of
from runtime.oci.objects import MOST_IN_A_BATCH, parse


class ObjectBucket:
    """The bucket of an ``oci://`` URI."""

    most_in_a_batch = MOST_IN_A_BATCH

    def __init__(self, uri: str) -> None:
        self._bucket, _ = parse(uri)

    def names(self, uri: str) -> list[str]:
        return [found.name for found in self._bucket.objects(f"{path_of(uri)}/")]

    def found(self, uri: str) -> Iterator[Found]:
        for each in self._bucket.objects(f"{path_of(uri)}/", "name,size,timeModified"):
            yield Found(each.name, each.size, each.time_modified.timestamp())

    def unfinished(self, uri: str) -> Iterator[Upload]:
        prefix = f"{path_of(uri)}/"
        for each in self._bucket.uploads():
            if each.object.startswith(prefix):
                yield Upload(each.object, each.upload_id, each.time_created.timestamp())

    def abort(self, upload: Upload) -> None:
        self._bucket.abort(upload.name, upload.id)

    def delete(self, names: list[str]) -> Mapping[str, str]:
        return self._bucket.delete(names)
