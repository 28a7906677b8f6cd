"""Object Storage's own API: objects, uploads in parts, deletes in bulk.

https://docs.oracle.com/iaas/api/#/en/objectstorage/20160918/
"""

import base64
import hashlib
import itertools
import json
import re
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal
from urllib.parse import parse_qs, unquote

from infra.rehearsal.host.endpoint import Request, Response, json_response
from infra.rehearsal.oci.access.signatures import Known, signed_target, signer

_MOST_IN_A_PAGE = _MOST_IN_A_BATCH = 1000
_OF_BUCKET = re.compile(r"/n/(?P<namespace>[^/]+)/b/(?P<bucket>[^/]+)(?P<rest>/.*)?")
# What a request wants to do to a bucket, in the words of policies.
Permission = Literal[
    "BUCKET_READ", "OBJECT_READ", "OBJECT_INSPECT", "OBJECT_CREATE", "OBJECT_DELETE"
]
# Whether a principal has a permission in a bucket.
May = Callable[[str, Permission, str], bool]


@dataclass(frozen=True)
class Stored:
    """An object's bytes, and when they were uploaded (RFC 3339)."""

    content: bytes
    made: str

    @property
    def md5(self) -> str:
        return base64.b64encode(_md5(self.content).digest()).decode()


@dataclass
class Unfinished:
    """An upload in parts, and when it was begun (RFC 3339)."""

    name: str
    begun: str
    parts: dict[int, bytes] = field(default_factory=dict[int, bytes])


def _now() -> str:
    return datetime.now(timezone.utc).isoformat()


def _md5(content: bytes) -> Any:
    """The checksum by which Object Storage verifies uploads."""
    return hashlib.md5(content, usedforsecurity=False)


class RefusedError(Exception):
    """An error as the service answers it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = json_response(status, {"code": code, "message": message})


@dataclass
class ObjectStorage:
    """The buckets of one namespace, in memory. ``batches`` are the sizes of deletes in bulk."""

    namespace: str
    known: Known
    may: May
    buckets: dict[str, dict[str, Stored]] = field(default_factory=dict[str, dict[str, Stored]])
    batches: list[int] = field(default_factory=list[int])
    uploads: dict[str, Unfinished] = field(default_factory=dict[str, Unfinished])
    numbers: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def answer(self, request: Request) -> Response:
        """A route of the endpoint."""
        target, principal = signed_target(request), signer(request, self.known)
        try:
            if principal is None:
                message = "The required information to complete authentication was not provided"
                raise RefusedError(401, "NotAuthenticated", message)
            path = target.partition("?")[0]
            if path.rstrip("/") == "/n":
                return json_response(200, self.namespace)
            found = _OF_BUCKET.fullmatch(path)
            if found is None or found["namespace"] != self.namespace:
                raise RefusedError(404, "NamespaceNotFound", "There is no such namespace")
            query = {
                name: values[-1] for name, values in parse_qs(target.partition("?")[2]).items()
            }
            with self._lock:
                operation = _Operation(
                    self, principal, found["bucket"], replace(request, query=query)
                )
                return operation.answer(found["rest"] or "")
        except RefusedError as refused:
            return refused.answer


@dataclass(frozen=True)
class _Operation:
    """One request to one bucket."""

    storage: ObjectStorage
    principal: str
    bucket: str
    request: Request

    def answer(self, rest: str) -> Response:
        kind, _, name = rest.removeprefix("/").partition("/")
        routes: Mapping[tuple[str, str], tuple[Permission, Callable[[str], Response]]] = {
            ("GET", ""): ("BUCKET_READ", self._describe),
            ("GET", "o"): ("OBJECT_READ" if name else "OBJECT_INSPECT", self._get),
            ("PUT", "o"): ("OBJECT_CREATE", self._put),
            ("DELETE", "o"): ("OBJECT_DELETE", self._delete),
            ("POST", "u"): ("OBJECT_CREATE", self._begin_or_commit),
            ("PUT", "u"): ("OBJECT_CREATE", self._put_part),
            ("DELETE", "u"): ("OBJECT_CREATE", self._abort),
            ("POST", "actions"): ("OBJECT_DELETE", self._delete_batch),
            ("GET", "objectversions"): ("OBJECT_INSPECT", self._list_versions),
            ("GET", "u"): ("BUCKET_READ", self._list_uploads),
        }
        permission, route = routes.get((self.request.method, kind), ("BUCKET_READ", self._unknown))
        known = self.bucket in self.storage.buckets
        if not (known and self.storage.may(self.principal, permission, self.bucket)):
            raise RefusedError(
                404,
                "BucketNotFound",
                f"Either the bucket named '{self.bucket}' does not exist in the namespace"
                f" '{self.storage.namespace}' or you are not authorized to access it",
            )
        return route(unquote(name))

    @property
    def _objects(self) -> dict[str, Stored]:
        return self.storage.buckets[self.bucket]

    def _stored(self, name: str) -> Stored:
        if name not in self._objects:
            message = f"The object '{name}' was not found in the bucket '{self.bucket}'"
            raise RefusedError(404, "ObjectNotFound", message)
        return self._objects[name]

    def _unknown(self, name: str) -> Response:
        raise RefusedError(404, "NotFound", f"No such operation: {self.request.method} {name}")

    def _describe(self, _: str) -> Response:
        return json_response(200, {"name": self.bucket, "namespace": self.storage.namespace})

    def _get(self, name: str) -> Response:
        if not name:
            return self._list()
        stored = self._stored(name)
        return Response(200, stored.content, {"content-md5": stored.md5})

    def _list(self) -> Response:
        query = self.request.query
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        limit = min(int(query.get("limit", _MOST_IN_A_PAGE)), _MOST_IN_A_PAGE)
        fields = query.get("fields", "name").split(",")
        names = sorted(self._objects)
        first = bisect_left(names, max(prefix, query.get("start", "")))
        objects: list[dict[str, Any]] = []
        folders: list[str] = []
        after = None
        for name in itertools.takewhile(lambda name: name.startswith(prefix), names[first:]):
            head, cut, _ = name.removeprefix(prefix).partition(delimiter or "\0")
            if cut and folders[-1:] == [f"{prefix}{head}{cut}"]:
                continue
            if len(objects) + len(folders) == limit:
                after = name
                break
            if cut:
                folders.append(f"{prefix}{head}{cut}")
            else:
                stored = self._objects[name]
                size = len(stored.content)
                whole = {"name": name, "size": size, "timeCreated": stored.made}
                whole["timeModified"] = stored.made
                objects.append({field: whole[field] for field in fields})
        return json_response(200, {"objects": objects, "prefixes": folders, "nextStartWith": after})

    def _list_versions(self, _: str) -> Response:
        # It keeps none, and so has one of each object.
        versions = [{"name": name, "versionId": name} for name in sorted(self._objects)]
        return json_response(200, {"items": versions[:_MOST_IN_A_PAGE], "prefixes": []})

    def _list_uploads(self, _: str) -> Response:
        known = self.storage.uploads.items()
        here = [
            {"namespace": self.storage.namespace, "bucket": self.bucket, "uploadId": id}
            | {"object": upload.name, "timeCreated": upload.begun}
            for id, upload in known
        ]
        return json_response(200, here)

    def _put(self, name: str) -> Response:
        md5 = self._keep(name, self._body())
        return Response(200, headers={"opc-content-md5": md5, "etag": md5})

    def _keep(self, name: str, content: bytes) -> str:
        stored = Stored(content, _now())
        self._objects[name] = stored
        return stored.md5

    def _body(self) -> bytes:
        body, given = self.request.body, self.request.headers.get("content-md5")
        digest = base64.b64encode(_md5(body).digest()).decode()
        if given and given != digest:
            raise RefusedError(400, "UnmatchedContentMD5", f"The MD5 is {digest}, not {given}")
        return body

    def _delete(self, name: str) -> Response:
        self._stored(name)
        del self._objects[name]
        return Response(204)

    def _upload(self) -> tuple[str, Unfinished]:
        id = self.request.query.get("uploadId", "")
        if id not in self.storage.uploads:
            raise RefusedError(404, "NoSuchUpload", "The multipart upload does not exist")
        return id, self.storage.uploads[id]

    def _begin_or_commit(self, name: str) -> Response:
        body = json.loads(self.request.body)
        if name:
            return self._commit(name, body["partsToCommit"])
        id = f"upload-{next(self.storage.numbers)}"
        self.storage.uploads[id] = Unfinished(body["object"], _now())
        made = {"namespace": self.storage.namespace, "bucket": self.bucket, "uploadId": id}
        return json_response(200, {**made, "object": body["object"]})

    def _commit(self, name: str, parts: list[dict[str, Any]]) -> Response:
        id, upload = self._upload()
        chosen = sorted(parts, key=lambda part: int(part["partNum"]))
        for part in chosen:
            if _md5(upload.parts[part["partNum"]]).hexdigest() != part["etag"]:
                raise RefusedError(400, "InvalidUploadPart", "An ETag is not that of its part")
        md5 = self._keep(name, b"".join(upload.parts[part["partNum"]] for part in chosen))
        del self.storage.uploads[id]
        return Response(200, headers={"etag": md5})

    def _put_part(self, name: str) -> Response:
        body = self._body()
        self._upload()[1].parts[int(self.request.query["uploadPartNum"])] = body
        digest = _md5(body)
        md5 = base64.b64encode(digest.digest()).decode()
        return Response(200, headers={"etag": digest.hexdigest(), "opc-content-md5": md5})

    def _abort(self, name: str) -> Response:
        del self.storage.uploads[self._upload()[0]]
        return Response(204)

    def _delete_batch(self, name: str) -> Response:
        names = [entry["objectName"] for entry in json.loads(self.request.body)["objects"]]
        if name != "batchDeleteObjects" or len(names) > _MOST_IN_A_BATCH:
            most = f"At most {_MOST_IN_A_BATCH} objects can be deleted at once"
            raise RefusedError(400, "InvalidParameter", most)
        self.storage.batches.append(len(names))
        missing = [name for name in names if self._objects.pop(name, None) is None]
        failed = [
            {"objectName": name, "statusCode": 404, "errorMessage": "ObjectNotFound"}
            for name in missing
        ]
        return json_response(200, {"deleted": [], "failed": failed})
