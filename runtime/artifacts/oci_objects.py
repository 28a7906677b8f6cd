"""OCI Object Storage in bulk."""

from collections.abc import Mapping

from runtime.artifacts.bulk import path_of
from runtime.oci.objects import MOST_IN_A_BATCH, parse


class ObjectBucket:
    """The bucket of an ``oci://`` URI."""

    most_in_a_batch = MOST_IN_A_BATCH

    def __init__(self, uri: str) -> None:
        self._bucket, _ = parse(uri)

    def names(self, uri: str) -> list[str]:
        return [found.name for found in self._bucket.objects(f"{path_of(uri)}/")]

    def delete(self, names: list[str]) -> Mapping[str, str]:
        return self._bucket.delete(names)
