"""What is sealed: that it opens as it was, and that nothing else does."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.backup.format import manifest, sealed
from runtime.backup.format.manifest import ArtifactsPart, Manifest
from runtime.backup.format.places import MANIFEST, Place
from runtime.errors import UserError

_KEY, _OTHER = "k" * 43, "o" * 43
# The format's own, which files that lie somewhere have.
_HEADER, _CHUNK, _TAG = 44, 1 << 20, 16


def _seal(content: bytes, place: str = "b/a") -> bytes:
    target = io.BytesIO()
    sealed.seal(io.BytesIO(content), target, _KEY, place)
    return target.getvalue()


def _open(content: bytes, place: str = "b/a", key: str = _KEY) -> bytes:
    target = io.BytesIO()
    sealed.unseal(io.BytesIO(content), key, place, target.write)
    return target.getvalue()


@pytest.mark.parametrize("size", [0, 1, _CHUNK - 1, _CHUNK, _CHUNK + 1, 2 * _CHUNK])
def test_it_opens_as_it_was_and_its_size_tells_that_of_what_it_holds(size: int) -> None:
    content = bytes(n % 251 for n in range(1000)) * (size // 1000 + 1)
    content = content[:size]
    closed = _seal(content)
    assert _open(closed) == content
    assert sealed.plain_size(len(closed)) == size
    assert len(content) < 50 or content[:50] not in closed
    assert closed != _seal(content)


@settings(deadline=None)
@given(st.binary(max_size=300), st.data())
def test_what_was_changed_anywhere_does_not_open(content: bytes, data: st.DataObject) -> None:
    closed = bytearray(_seal(content))
    at = data.draw(st.integers(0, len(closed) - 1))
    closed[at] ^= data.draw(st.integers(1, 255))
    named = range(len(sealed.MAGIC), len(sealed.MAGIC) + 8)
    if at in named:
        with pytest.raises(UserError, match="encrypted with the key"):
            sealed.key_for(bytes(closed), [_KEY])
        return
    with pytest.raises(OSError, match="cannot be decrypted"):
        _open(bytes(closed))


def test_what_was_cut_continued_moved_or_reordered_does_not_open() -> None:
    whole = _seal(b"x" * (2 * _CHUNK) + b"end")
    one = _CHUNK + _TAG
    head, first, second, last = (
        whole[:_HEADER],
        whole[_HEADER : _HEADER + one],
        whole[_HEADER + one : _HEADER + 2 * one],
        whole[_HEADER + 2 * one :],
    )
    for wrong in (head + first, head + first + second, head + second + first + last,
                  head + first + last, whole + last, whole + b"x", head, b""):  # fmt: skip
        with pytest.raises(OSError, match="cannot be decrypted"):
            _open(wrong)
    with pytest.raises(OSError, match="cannot be decrypted"):
        _open(whole, place="b/other")
    with pytest.raises(OSError, match="cannot be decrypted"):
        _open(whole, key=_OTHER)


def test_a_key_that_is_missing_or_another_is_named() -> None:
    closed = _seal(b"x")
    assert sealed.key_for(closed, [_OTHER, _KEY]) == _KEY
    named = sealed.name_of(_KEY)
    with pytest.raises(UserError, match=f"encrypted with the key {named}. Set TRACKSTACK_BACKUP_K"):
        sealed.key_for(closed, [])
    with pytest.raises(UserError, match=f"{named}; given: {sealed.name_of(_OTHER)}"):
        sealed.key_for(closed, [_OTHER])


def test_one_file_of_a_known_version_still_opens() -> None:
    """Written by the first version that sealed: what lies somewhere must stay readable."""
    known = bytes.fromhex(_KNOWN)
    assert _open(known, place="20261121T035500Z-3fa2/manifest.json") == b"of the first version"


_KNOWN = (
    "747261636b737461636b206261636b757020310ad060a839d090c1c429e1bb5f3bfaf2ce38ab625c"
    "a366b98d9c558d60599c0a5ddd79bfa4ee6774f727213f8699e6e51cd2217788ccfe03cff253cf8c"
)


def _kept(place: Path, name: str, *, encrypted: bool, store: str = "s") -> None:
    """A backup's manifest, with nothing else."""
    of = Manifest(name, "", "", "", "", {}, ArtifactsPart("a", 0, "", 0, 0), 0, store)
    plain = io.BytesIO(replace(of, sealed=encrypted).to_json().encode())
    (place / name).mkdir()
    with (place / name / MANIFEST).open("wb") as out:
        if encrypted:
            sealed.seal(plain, out, _KEY, f"{name}/{MANIFEST}")
        else:
            out.write(plain.getvalue())


def test_a_plain_backup_is_not_taken_of_itself_where_encrypted_ones_are_older(
    tmp_path: Path,
) -> None:
    old, ours, later = (f"2026010{day}T000000Z-0000" for day in (1, 2, 3))
    sealing = Place(str(tmp_path), keys=[_KEY], seals=True)
    _kept(tmp_path, old, encrypted=False)
    assert manifest.read_for(sealing, None, "s").name == old, "there is no other"
    _kept(tmp_path, ours, encrypted=True)
    assert manifest.read_for(sealing, None, "s").name == ours
    # By somebody who can write there, and has no key.
    _kept(tmp_path, later, encrypted=False)
    for store in ("s", None):
        with pytest.raises(UserError, match=rf"{later} is not encrypted.*{ours}"):
            manifest.read_for(sealing, None, store)
    assert manifest.read_for(sealing, later, "s").name == later, "who names it means it"
    # Where the stack's are plain anyway it is one of them.
    assert manifest.read_for(Place(str(tmp_path), keys=[_KEY]), None, "s").name == later
