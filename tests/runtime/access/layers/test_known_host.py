"""A name that MLflow does not answer to: the way out in place of MLflow's words."""

from typing import Any

from starlette.types import Receive, Scope, Send

from runtime.access.layers.known_host import REFUSED, KnownHost
from tests.runtime.access.layers.driving import Inner, asked, drive, http


async def _refusing(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 403, "headers": []})
    await send({"type": "http.response.body", "body": REFUSED + b" - of MLflow"})


async def _forbidding(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 403, "headers": [(b"x-a", b"b")]})
    await send({"type": "http.response.body", "body": b"no", "more_body": True})
    await send({"type": "http.response.body", "body": b"pe"})


def test_mlflow_s_words_are_the_ones_that_are_replaced() -> None:
    from mlflow.server.security_utils import INVALID_HOST_MSG

    assert INVALID_HOST_MSG.encode().startswith(REFUSED)


def test_what_to_set_is_said_once_in_the_log_and_in_each_answer(capsys: Any) -> None:
    layer = KnownHost(_refusing, "https://known.example", "http", "/team")
    for host in ("a.example:5000", "a.example:5000", "<b>\x1b.example"):
        answer = drive(layer, asked(http("GET", "/x", ("host", host))))
        assert answer.status == 403
        assert b"answers as https://known.example alone" in answer.body
    assert b"<b>" not in answer.body
    log = capsys.readouterr().err
    assert log.count("TRACKSTACK_PUBLIC_URL=http://a.example:5000/team") == 1
    assert "\x1b" not in log


def test_every_other_answer_is_as_it_was() -> None:
    other = drive(KnownHost(_forbidding, None, "http", ""), asked(http("GET", "/")))
    assert (other.status, other.body, other.headers["x-a"]) == (403, b"nope", "b")
    assert drive(KnownHost(Inner(), None, "http", ""), asked(http("GET", "/"))).body == b"inner"
