"""How heavy traces by OTLP are."""

from typing import Any, cast

import pytest
from mlflow.server import otel_api

from runtime.access.rules.spans import MESSAGE, SPAN, is_heavier

_MANY = 50_000
# As MLflow has it; a server that is made in this process bounds it.
_REQUEST: Any = cast(Any, otel_api).ExportTraceServiceRequest


def _field(number: int, content: bytes) -> bytes:
    length, told = len(content), bytearray()
    while length > 0x7F:
        told.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([number << 3 | 2, *told, length]) + content


def _spans(content: bytes) -> bytes:
    return _field(1, _field(2, content))


_HARMFUL = {
    "resources": b"\x0a\x00" * _MANY,
    "scopes": _field(1, b"\x12\x00" * _MANY),
    "spans": _spans(b"\x12\x00" * _MANY),
    "attributes": _spans(_field(2, b"\x4a\x00" * _MANY)),
    "events": _spans(_field(2, b"\x5a\x00" * _MANY)),
    "links": _spans(_field(2, b"\x6a\x00" * _MANY)),
    "of a resource": _field(1, _field(1, b"\x0a\x00" * _MANY)),
    "values": _spans(_field(2, _field(9, _field(2, _field(5, b"\x0a\x00" * _MANY))))),
    "pairs": _spans(_field(2, _field(9, _field(2, _field(6, b"\x0a\x00" * _MANY))))),
    # What comes before the harm hides nothing, and neither does what is damaged after it.
    "others before": b"\x18\xff\x01\x21" + b"8" * 8 + b"\x2d4444" + b"\x0a\x00" * _MANY,
    "damaged": _field(1, b"\x12\x00" * _MANY) + b"\x0a\xff",
}


@pytest.mark.parametrize("kind", _HARMFUL)
def test_many_small_messages_are_heavy(kind: str) -> None:
    each = SPAN if kind == "spans" else MESSAGE
    assert is_heavier(_HARMFUL[kind], each * (_MANY - 1))
    assert not is_heavier(_HARMFUL[kind], each * _MANY + SPAN + 10 * MESSAGE)


def test_usual_spans_are_counted_each() -> None:
    request = _REQUEST()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number in range(1000):
        span = spans.add(name="a step", trace_id=b"t" * 16, span_id=b"s" * 8)
        attribute = span.attributes.add(key="mlflow.spanInputs")
        attribute.value.string_value = "words " * 50
        span.events.add(name="an event", time_unix_nano=number)
    body = request.SerializeToString()
    weight = 2 * MESSAGE + 1000 * (SPAN + 3 * MESSAGE)
    assert not is_heavier(body, weight)
    assert is_heavier(body, weight - 1)


@pytest.mark.parametrize(
    "body", [b"", b"x", b"\xff" * 100_000, b"\x0a" * 100_001, b"\x0b\x0c" * 50_000, b"\0" * 100_000]
)
def test_what_is_none_is_not_heavy(body: bytes) -> None:
    assert not is_heavier(body, 1 << 30)
