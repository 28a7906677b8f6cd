"""Empties a bucket before it is deleted."""

from typing import Any

from pulumi import ResourceOptions
from pulumi.dynamic import Resource

from infra.clouds.shared.dynamic import DynamicProvider, Props
from runtime.errors import UserError
from runtime.oci.objects import Bucket


class _EmptiedProvider(DynamicProvider):
    place = "bucket"
    replaced_by = frozenset({"namespace", "bucket"})

    def apply(self, props: Props) -> Props:
        return {}

    def drifted(self, props: Props) -> bool:
        return False

    def remove(self, props: Props) -> None:
        if props["keep_data"]:
            return
        try:
            Bucket(str(props["namespace"]), str(props["bucket"])).empty()
        except UserError as error:
            raise RuntimeError(f"{error}; see `oci setup config`") from None


class EmptiedBucket(Resource, module="trackstack", name="EmptiedBucket"):
    """Empties a bucket before it goes, with the caller's own login: OCI deletes none with objects
    in it. Inputs ``namespace``, ``bucket`` and ``keep_data``, which lets it be; ``opts`` are the
    bucket's own, so that what is protected or kept is not emptied.
    """

    def __init__(self, name: str, props: dict[str, Any], opts: ResourceOptions):
        super().__init__(_EmptiedProvider(), name, props, opts)
