"""The body-size limit alone."""

import json

import pytest
from starlette.types import Receive, Scope, Send

from runtime.access.layers.content.size import BodyLimit
from tests.runtime.access.layers.driving import Driven, Inner, asked, drive, http, websocket

_CREATE = "/api/2.0/mlflow/experiments/create"
_ARTIFACT = "/api/2.0/mlflow-artifacts/artifacts/1/model.bin"


def _sent(inner: Inner, method: str, path: str, *pieces: bytes, announced: int = 0) -> Driven:
    headers = [("content-length", str(announced))] if announced else []
    layer = BodyLimit(inner, request=100, artifact=200)
    return drive(layer, asked(http(method, path, *headers)), pieces)


def _assert_too_large(answer: Driven, most: int) -> None:
    assert answer.status == 413
    told = json.loads(answer.body)
    assert told["error_code"] == "INVALID_PARAMETER_VALUE"
    assert f"at most {most} bytes" in told["message"]


def test_a_small_body_comes_through_whole() -> None:
    inner = Inner()
    assert _sent(inner, "POST", _CREATE, b"x" * 60, b"y" * 40, announced=100).status == 200
    assert inner.bodies == [b"x" * 60 + b"y" * 40]


def test_a_large_one_that_is_announced_does_not_begin() -> None:
    inner = Inner()
    _assert_too_large(_sent(inner, "POST", _CREATE, b"", announced=101), 100)
    assert inner.scopes == []


def test_a_large_one_that_is_not_announced_ends_where_it_is_too_large() -> None:
    inner = Inner()
    _assert_too_large(_sent(inner, "POST", _CREATE, b"x" * 60, b"y" * 41), 100)
    assert inner.bodies == []


def test_an_upload_has_a_limit_of_its_own() -> None:
    assert _sent(Inner(), "PUT", _ARTIFACT, b"x" * 200).status == 200
    _assert_too_large(_sent(Inner(), "PUT", _ARTIFACT, b"x" * 201), 200)


def test_what_comes_after_the_answer_began_is_cut_off() -> None:
    received: list[str] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        received.extend([(await receive())["type"] for _ in range(2)])
        await send({"type": "http.response.body"})

    layer = BodyLimit(app, request=100, artifact=0)
    answer = drive(layer, asked(http("POST", _CREATE)), [b"x" * 60, b"x" * 60])
    assert answer.status == 200
    assert received == ["http.request", "http.disconnect"]


def test_what_the_application_makes_of_the_refusal_is_not_sent() -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await receive()
        except Exception:
            await send({"type": "http.response.start", "status": 500, "headers": []})
            raise

    layer = BodyLimit(app, request=100, artifact=0)
    _assert_too_large(drive(layer, asked(http("POST", _CREATE)), b"x" * 101), 100)


def test_another_failure_goes_on() -> None:
    with pytest.raises(RuntimeError, match="failed"):
        _sent(Inner(fails=True), "POST", _CREATE, b"x")


def test_a_websocket_is_left_alone() -> None:
    inner = Inner()
    drive(BodyLimit(inner, request=1, artifact=1), asked(websocket("/x")))
    assert len(inner.scopes) == 1


@pytest.mark.parametrize("piece", [b"{},", b"[],", b"0,", b'{"a":"b"},'])
def test_json_of_many_small_values_ends_where_it_would_fill_the_memory(piece: bytes) -> None:
    inner = Inner()
    layer = BodyLimit(inner, request=8 << 20, artifact=0)
    most = (8 << 20) // len(piece)
    answer = drive(layer, asked(http("POST", _CREATE)), [piece * (most // 2), piece * (most // 2)])
    assert answer.status == 413
    assert "too many values" in json.loads(answer.body)["message"]
    assert inner.bodies == []
    # What no JSON is read of may hold any bytes.
    for path in (
        "/api/2.0/mlflow/upload-artifact",
        "/ajax-api/2.0/mlflow//upload-artifact",
        "/v1/traces",
    ):
        assert drive(layer, asked(http("POST", path)), piece * most).status == 200
    assert drive(layer, asked(http("PUT", _ARTIFACT)), piece * most).status == 200
    # What is small in any case is, too; and without a limit all of it.
    assert drive(layer, asked(http("POST", _CREATE)), piece * (most // 40)).status == 200
    unlimited = BodyLimit(inner, request=0, artifact=0)
    assert drive(unlimited, asked(http("POST", _CREATE)), piece * most).status == 200


@pytest.mark.parametrize(
    "value",
    [
        {"inputs": {"question": "What is MLflow, and what is it for? " * 8}, "expectations": {}},
        {"key": "a metric's name", "value": 0.1234567890123, "timestamp": 1764000000000, "step": 1},
        [0.1234567890123456] * 100,
        "a text, and another, " * 100,
    ],
)
def test_json_of_usual_values_comes_through(value: object) -> None:
    one = json.dumps(value)
    body = f"[{', '.join([one] * ((20 << 20) // len(one)))}]".encode()
    layer = BodyLimit(Inner(), request=len(body), artifact=0)
    assert drive(layer, asked(http("POST", _CREATE)), body).status == 200
