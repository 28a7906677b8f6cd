"""What traces by OTLP take in memory once they are read: many times their bytes, if they mean harm.

Protobuf may say a message in two bytes. So its messages are counted before anything is made of it.
https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

# Bytes that a message takes, and a span: of each MLflow makes one of its own.
MESSAGE, SPAN = 200, 4000
# Less is not worth a look.
_SMALL = 64 << 10
_SPAN = "span"
# Kind of a message -> the kinds of those in it, by field.
_WITHIN: dict[str, dict[int, str]] = {
    "request": {1: "resource spans"},
    "resource spans": {1: "resource", 2: "scope spans"},
    "resource": {1: "attribute"},
    "scope spans": {1: "scope", 2: _SPAN},
    "scope": {3: "attribute"},
    _SPAN: {9: "attribute", 11: "event", 13: "link", 15: "status"},
    "event": {3: "attribute"},
    "link": {4: "attribute"},
    "status": {},
    "attribute": {2: "value"},
    "value": {5: "values", 6: "attributes"},
    "values": {1: "value"},
    "attributes": {1: "attribute"},
}
_VARINT, _EIGHT, _LENGTH, _FOUR = 0, 1, 2, 5


def is_heavier(body: bytes, most: int) -> bool:
    """Whether the spans of ``body`` take more than ``most`` bytes.

    What is damaged counts as far as it is not: who reads it refuses it.
    """
    if len(body) <= _SMALL:
        return False
    weight, waiting = 0, [(0, len(body), "request")]
    while waiting:
        at, end, kind = waiting.pop()
        within = _WITHIN[kind]
        try:
            while at < end:
                tag, at = _varint(body, at)
                wire = tag & 7
                if wire == _LENGTH:
                    length, at = _varint(body, at)
                    if inner := within.get(tag >> 3):
                        weight += SPAN if inner == _SPAN else MESSAGE
                        if weight > most:
                            return True
                        waiting.append((at, min(at + length, end), inner))
                    at += length
                elif wire == _VARINT:
                    _, at = _varint(body, at)
                elif wire in (_EIGHT, _FOUR):
                    at += 8 if wire == _EIGHT else 4
        except IndexError:
            continue
    return False


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends; raises IndexError where the body ends before."""
    number = shift = 0
    while True:
        byte = body[at]
        at += 1
        number |= (byte & 0x7F) << shift
        # A longer one is none: so many bytes must not make one that takes a while.
        if byte < 0x80 or shift > 63:
            return number, at
        shift += 7
