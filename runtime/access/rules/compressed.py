"""How large what comes compressed is: a thousand times of what is sent, for whoever means harm."""

import zlib

_PIECE = 1 << 20
# A gzip or zlib stream by its beginning, or a bare deflate one.
_WITH_HEADER, _BARE = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS


def is_larger(body: bytes, most: int) -> bool:
    """Whether a gzip or deflate ``body`` holds more than ``most`` bytes; none of them is kept.

    False for what is damaged within them: that is refused by who reads it.
    """
    return any(_is_larger(body, most, bits) for bits in (_WITH_HEADER, _BARE))


def _is_larger(body: bytes, most: int, bits: int) -> bool:
    size, rest = 0, body
    try:
        # A gzip file may have several members, one after the other.
        while rest:
            stream = zlib.decompressobj(bits)
            while not stream.eof:
                piece = stream.decompress(rest, _PIECE)
                size += len(piece)
                if size > most:
                    return True
                rest = stream.unconsumed_tail
                if not (rest or piece):
                    return False
            rest = stream.unused_data
    except zlib.error:
        return False
    return False
