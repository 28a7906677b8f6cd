"""Backups that are encrypted by a key: each file sealed on its own, in chunks, none kept in memory.

A sealed file is `MAGIC`, 8 bytes that name the key, 16 random bytes, and chunks of 1 MiB (the last
one may be shorter), each followed by its tag: AES-256-GCM by STREAM, as the format `age` has it.
The file's own key is HKDF-SHA256 of the backup's key and the random bytes; a chunk's nonce is its
number in 11 bytes, and a byte that is 1 for the last one. Each is bound to where the file lies, so
that none can be cut, put in another's place or taken from another backup unnoticed.
https://eprint.iacr.org/2015/189 https://age-encryption.org/v1
"""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runtime.artifacts.tree import Tree
from runtime.errors import UserError

MAGIC = b"trackstack backup 1\n"
_NAME_BYTES, _SALT_BYTES, _TAG_BYTES = 8, 16, 16
_HEADER_BYTES = len(MAGIC) + _NAME_BYTES + _SALT_BYTES
_CHUNK = 1 << 20
SHORTEST_KEY = 32
"""Characters; those that a stack makes have 43, which are 256 bits."""


class OtherKeyError(UserError):
    """A backup is encrypted with a key that is not at hand."""


def _derive(key: str, salt: bytes | None, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, purpose).derive(key.encode())


def name_of(key: str) -> str:
    """What tells a key from others and gives nothing of it away: 16 hex digits."""
    return _derive(key, None, b"trackstack backup key name", _NAME_BYTES).hex()


def is_sealed(start: bytes) -> bool:
    """Whether a file that begins so is sealed."""
    return start.startswith(MAGIC)


def key_for(start: bytes, keys: Sequence[str]) -> str:
    """That of ``keys`` which a sealed file names; OtherKeyError where it is none of them."""
    named = start[len(MAGIC) : len(MAGIC) + _NAME_BYTES].hex()
    for key in keys:
        if name_of(key) == named:
            return key
    given = f"; given: {', '.join(map(name_of, keys))}" if keys else ""
    raise OtherKeyError(
        f"it is encrypted with the key {named}{given}. Set TRACKSTACK_BACKUP_KEY_FILE to a file "
        "with that key"
    )


def _sealed_size(size: int) -> int:
    return _HEADER_BYTES + size + _TAG_BYTES * max(1, -(-size // _CHUNK))


def plain_size(sealed: int) -> int:
    """The bytes of what a sealed file of so many bytes holds; 0 where no file has so many."""
    body = sealed - _HEADER_BYTES
    size = body - _TAG_BYTES * -(-body // (_CHUNK + _TAG_BYTES))
    return size if size >= 0 and _sealed_size(size) == sealed else 0


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])


def _chunks(source: IO[bytes], size: int) -> Iterator[tuple[int, bytes, bool]]:
    """Number, content, and whether it is the last one; one that is empty of an empty file."""
    number, chunk = 0, source.read(size)
    while True:
        following = source.read(size) if len(chunk) == size else b""
        yield number, chunk, not following
        if not following:
            return
        number, chunk = number + 1, following


def seal(source: IO[bytes], target: IO[bytes], key: str, place: str) -> None:
    """Write what ``source`` holds encrypted; ``place`` is where it is to lie."""
    salt = os.urandom(_SALT_BYTES)
    target.write(MAGIC + bytes.fromhex(name_of(key)) + salt)
    cipher = AESGCM(_derive(key, salt, b"trackstack backup file", 32))
    for number, chunk, is_last in _chunks(source, _CHUNK):
        target.write(cipher.encrypt(_nonce(number, is_last), chunk, place.encode()))


def unseal(source: IO[bytes], key: str, place: str, write: Callable[[bytes], object]) -> None:
    """Pass on what a sealed file holds, by chunks of which each is as it was written.

    Raises OSError where it is not, or was sealed for another place or by another key.
    """
    header = source.read(_HEADER_BYTES)
    broken = OSError(errno.EBADMSG, "it cannot be decrypted", place)
    if not is_sealed(header) or len(header) < _HEADER_BYTES:
        raise broken
    cipher = AESGCM(_derive(key, header[-_SALT_BYTES:], b"trackstack backup file", 32))
    for number, chunk, is_last in _chunks(source, _CHUNK + _TAG_BYTES):
        try:
            write(cipher.decrypt(_nonce(number, is_last), chunk, place.encode()))
        except InvalidTag:
            raise broken from None


class Sealed(Tree):
    """A backup's folder whose files are sealed by ``key``; ``place`` is its path among backups."""

    def __init__(self, tree: Tree, key: str, place: str) -> None:
        super().__init__(tree.uri)
        self._tree, self._key, self._place = tree, key, place

    def copy_at(self, tree: Tree) -> Tree:
        """Another folder that is to hold the same backup, sealed by the same key."""
        return Sealed(tree, self._key, self._place)

    def at(self, path: str) -> Tree:
        return Sealed(self._tree.at(path), self._key, f"{self._place}/{path}")

    def list(self, folder: str = "") -> list[tuple[str, int | None]]:
        found = self._tree.list(folder)
        return [(path, size if size is None else plain_size(size)) for path, size in found]

    def files(self, left_out: Callable[[str], object] | None = None) -> Iterator[tuple[str, int]]:
        for path, size in self._tree.files(left_out):
            yield path, plain_size(size)

    def fetch(self, path: str, to: Path) -> None:
        coming = to.with_name(f"{to.name}.sealed")
        self._tree.fetch(path, coming)
        with coming.open("rb") as source, to.open("wb") as target:
            unseal(source, self._key, f"{self._place}/{path}", target.write)
        coming.unlink()

    def put(self, file: Path, path: str) -> None:
        going = file.with_name(f"{file.name}.sealed")
        with file.open("rb") as source, going.open("wb") as target:
            seal(source, target, self._key, f"{self._place}/{path}")
        file.unlink()
        self._tree.put(going, path)

    def sha256(self, path: str) -> str:
        digest = hashlib.sha256()
        with (self.directory or Path()).joinpath(path).open("rb") as source:
            unseal(source, self._key, f"{self._place}/{path}", digest.update)
        return digest.hexdigest()
