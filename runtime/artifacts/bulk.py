"""Deleting from stores that take many objects in one request, whatever run they are of."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol


@dataclass(frozen=True)
class Found:
    """An object: its whole name, its bytes, and when it was written last (Unix time)."""

    name: str
    size: int
    modified: float


@dataclass(frozen=True)
class Upload:
    """An upload in parts that was begun (Unix time) and never ended; ``name`` is the object's."""

    name: str
    id: str
    begun: float


class Container(Protocol):
    """A container or bucket; ``names`` and ``delete`` are called from several threads."""

    most_in_a_batch: int

    def names(self, uri: str) -> list[str]:
        """All objects under a URI; none where there is no such place."""
        ...

    def found(self, uri: str) -> Iterator[Found]:
        """As ``names``, with what else is known of them, in order."""
        ...

    def delete(self, names: list[str]) -> Mapping[str, str]:
        """Delete objects; returns those that are still there, and why."""
        ...

    def unfinished(self, uri: str) -> Iterator[Upload]:
        """Uploads under a URI; none where the store forgets them by itself."""
        ...

    def abort(self, upload: Upload) -> None:
        """Drop the parts of an upload that came; raises what the store's SDK raises."""
        ...


def _container_of(uri: str) -> str:
    """What is before the path: container and account, or bucket and namespace."""
    return uri.split("/", 3)[2]


def path_of(uri: str) -> str:
    """What is behind container or bucket, without slashes around it.

    Raises ValueError where there is nothing: all of a bucket is no entity's.
    """
    path = "".join(uri.split("/", 3)[3:]).strip("/")
    if not path:
        raise ValueError(f"{uri} has no path below its bucket")
    return path


def delete_all(
    uris: Iterable[str], open_container: Callable[[str], Container], pool: Executor
) -> dict[str, str]:
    """Delete all objects under URIs of one kind of store; returns those that failed, and why."""
    failed: dict[str, str] = {}
    for _, group in groupby(sorted(uris, key=_container_of), key=_container_of):
        failed |= _delete_in_container(list(group), open_container, pool)
    return failed


def _delete_in_container(
    uris: list[str], open_container: Callable[[str], Container], pool: Executor
) -> dict[str, str]:
    try:
        container = open_container(uris[0])
        listed = pool.map(container.names, uris)
        owners = {name: uri for uri, names in zip(uris, listed, strict=True) for name in names}
        outcomes = pool.map(container.delete, _batches(list(owners), container.most_in_a_batch))
        return {owners[name]: reason for outcome in outcomes for name, reason in outcome.items()}
    except Exception as error:
        # The container cannot be had: none of its URIs is dealt with.
        return dict.fromkeys(uris, f"{type(error).__name__}: {str(error).splitlines()[0]}")


def _batches(names: list[str], most: int) -> Iterator[list[str]]:
    for start in range(0, len(names), most):
        yield names[start : start + most]
