"""How large what comes compressed is."""

import gzip
import zlib

import pytest

from runtime.access.rules.compressed import is_larger

_BARE = zlib.compressobj(wbits=-zlib.MAX_WBITS)
_PLAIN = b"spans " * 500_000
_FORMS = {
    "gzip": gzip.compress(_PLAIN, mtime=0),
    "members": gzip.compress(_PLAIN[:10], mtime=0) + gzip.compress(_PLAIN[10:], mtime=0),
    "zlib": zlib.compress(_PLAIN),
    "bare": _BARE.compress(_PLAIN) + _BARE.flush(),
}


@pytest.mark.parametrize("form", _FORMS)
def test_what_holds_more_is_found(form: str) -> None:
    assert is_larger(_FORMS[form], len(_PLAIN) - 1)
    assert not is_larger(_FORMS[form], len(_PLAIN))


@pytest.mark.parametrize("form", _FORMS)
def test_what_is_cut_off_is_as_large_as_what_is_there(form: str) -> None:
    assert not is_larger(_FORMS[form][:-9], len(_PLAIN))
    assert is_larger(_FORMS[form][:-9], 1000)


@pytest.mark.parametrize("body", [b"", b"x", b"\0" * 100, gzip.compress(b"x", mtime=0) + b"rest"])
def test_what_is_not_compressed_or_damaged_is_not_larger(body: bytes) -> None:
    assert not is_larger(body, 1000)
