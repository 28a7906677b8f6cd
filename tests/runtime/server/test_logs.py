"""What stands in the server's log, whoever's text it is."""

import io
import json
import logging
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runtime.server.logs import Guarded, JsonFormatter, text_lines
from tests.runtime.serving import Serving, serving

_FORGED = 'x\n{"audit": {"who": "boss"}}\r\n2026/01/01 INFO trackstack: all is well'


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain\n", "plain\n"),
        ('{"audit": 1}\n', ' {"audit": 1}\n'),
        ('\t{"audit": 1}\n', ' \t{"audit": 1}\n'),
        ("a\nb\n\u2028{c\x0b{d", "a\n    b\n    \u2028    {c\x0b    {d"),
        ("", ""),
    ],
)
def test_only_the_first_line_of_a_text_is_at_the_margin(text: str, written: str) -> None:
    assert text_lines(text, at_start=True) == written


def test_a_text_in_pieces_makes_no_line_of_ours() -> None:
    raw = io.StringIO()
    stream = Guarded(raw, "stderr", as_json=False)
    for piece in ("before\n", '{"audit"', ": 1}\n", _FORGED, "\n", '{"audit": 2}'):
        stream.write(piece)
    lines = raw.getvalue().split("\n")
    assert lines[0] == "before"
    assert not [line for line in lines if line.startswith("{")]
    assert not [line for line in lines[1:] if line.startswith("2026")]


def test_it_takes_no_bytes() -> None:
    stream: Any = Guarded(io.StringIO(), "stderr", as_json=False)
    with pytest.raises(TypeError):
        stream.write(b"")


def test_each_line_is_a_json_object_by_choice() -> None:
    raw = io.StringIO()
    stream = Guarded(raw, "stdout", as_json=True)
    stream.write("half")
    assert raw.getvalue() == ""
    stream.write(f" and half\n\n{_FORGED}\n")
    found = [json.loads(line) for line in raw.getvalue().splitlines()]
    assert [list(line) for line in found] == [["log"]] * 4
    assert found[0]["log"]["message"] == "half and half"
    assert (found[0]["log"]["level"], found[0]["log"]["logger"]) == ("info", "stdout")


def test_a_record_with_its_traceback_is_one_object() -> None:
    try:
        raise ValueError(_FORGED)
    except ValueError:
        record = logging.LogRecord("mlflow", 40, "f", 1, "said %s", (_FORGED,), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "\n" not in line
    entry = json.loads(line)["log"]
    assert (entry["level"], entry["logger"]) == ("error", "mlflow")
    assert "Traceback" in entry["message"]


def _forge(server: Serving) -> None:
    """Have MLflow print what a user once stored."""
    headers = {"content-type": "application/json"}

    def post(path: str, **content: Any) -> None:
        body = json.dumps(content).encode()
        server.request("POST", f"/api/2.0/mlflow/{path}", server.token, headers=headers, body=body)

    post("registered-models/create", name="m")
    post("model-versions/create", name="m", source="s3://bucket/x")
    with closing(sqlite3.connect(server.data_dir / "store" / "mydb.sqlite")) as link, link:
        link.execute("UPDATE model_versions SET storage_location = ?", (f"models:/{_FORGED}",))
    path = "/model-versions/get-artifact?name=m&version=1&path=y"
    assert server.request("GET", path, server.token).status == 500


def _audited(log: Path) -> list[dict[str, Any]]:
    lines = [line for line in log.read_text().splitlines() if line.startswith("{")]
    return [json.loads(line)["audit"] for line in lines if json.loads(line).get("audit")]


@pytest.mark.slow
def test_nobody_forges_a_line_of_the_audit_log(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        _forge(server)
    log = tmp_path / "server.log"
    assert "boss" in log.read_text(), "MLflow printed nothing of it"
    assert {entry["who"] for entry in _audited(log)} == {"stack"}


@pytest.mark.slow
def test_every_line_of_the_log_is_a_json_object(tmp_path: Path) -> None:
    with serving(tmp_path, TRACKSTACK_LOG_FORMAT="json") as server:
        _forge(server)
    lines = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines()]
    assert {tuple(line) for line in lines} == {("log",), ("audit",)}
    loggers = {line["log"]["logger"] for line in lines if "log" in line}
    assert {"gunicorn.error", "uvicorn.error", "mlflow.server.handlers"} <= loggers
    assert {entry["who"] for entry in _audited(tmp_path / "server.log")} == {"stack"}
