"""Response headers alone."""

import pytest
from starlette.types import Receive, Scope, Send

from runtime.access.layers.headers import ResponseHeaders
from tests.runtime.access.layers.driving import Inner, asked, drive, http, websocket

_SANDBOX = "sandbox; default-src 'none'"


def _headers(path: str, public_url: str = "https://mlflow.example.com") -> dict[str, str]:
    scope = asked(http("GET", path, ("x-request-id", "one")))
    return dict(drive(ResponseHeaders(Inner(), public_url), scope).headers)


def test_every_answer_has_them() -> None:
    assert _headers("/version") == {
        "x-inner": "1",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "strict-transport-security": "max-age=31536000",
        "content-security-policy": (
            "frame-ancestors 'self'; object-src 'none'; base-uri 'self'; form-action 'self'"
        ),
        "x-request-id": "one",
    }


@pytest.mark.parametrize("url", ["http://mlflow.example.com", "https://localhost:5000", ""])
def test_other_servers_on_this_machine_are_not_bound_to_https(url: str) -> None:
    assert "strict-transport-security" not in _headers("/version", url)


@pytest.mark.parametrize(
    "path",
    [
        "/get-artifact",
        "//get-artifact",
        "/model-versions/get-artifact",
        "/api/2.0/mlflow-artifacts/artifacts/1/page.html",
        "/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files",
        "/ajax-api/3.0/mlflow/get-trace-artifact",
    ],
)
def test_an_artifact_runs_no_script(path: str) -> None:
    assert _headers(path)["content-security-policy"] == _SANDBOX


def test_what_an_answer_has_already_stays() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"Referrer-Policy", b"no-referrer")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    answer = drive(ResponseHeaders(app, ""), asked(http("GET", "/")))
    policies = [value for name, value in answer.sent[0]["headers"] if name.lower()[:3] == b"ref"]
    assert policies == [b"no-referrer"]


def test_a_websocket_is_left_alone() -> None:
    inner = Inner()
    drive(ResponseHeaders(inner, ""), asked(websocket("/x")))
    assert len(inner.scopes) == 1
