"""The report's forms; what it lists is in test_stale.py and test_jobs.py."""

import csv
import io
import xml.etree.ElementTree as ET
from datetime import datetime, timezone
from typing import Any

import pytest
from click.testing import CliRunner

from runtime.errors import UserError
from runtime.retention import report
from runtime.retention.find import Found, Server
from runtime.retention.inventory import connect
from runtime.retention.report_line import Line, human_bytes
from runtime.retention.report_page import bars, chart, page
from runtime.settings import load

_NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)
_LINES = [
    Line("run", "a", "1", "small", 50, 10),
    Line("run", "b", "2", "<large> & Co.", 40, 3 << 20),
    Line("run", "c", "3", "<large> & Co.", 90, None),
    Line("model version", "m/1", "m/1", "", 35, None),
]


def test_a_server_that_does_not_answer_is_no_server_that_refuses() -> None:
    given = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_TRACKING_TOKEN": "t"}
    with pytest.raises(UserError, match=r"127\.0\.0\.1:9 does not answer: .*refused"):
        connect(load(given))


def test_bars_are_by_experiment_the_largest_first() -> None:
    large, small, models = bars(_LINES)
    assert (large.experiment, large.entities, large.bytes) == ("<large> & Co.", 2, 3 << 20)
    assert large.oldest_days == 90
    assert (small.bytes, models.experiment) == (10, "registered models")


def test_the_chart_is_well_formed_and_its_longest_bar_the_largest() -> None:
    tree = ET.fromstring(chart(bars(_LINES)))
    widths = [int(bar.get("width", "")) for bar in tree.iter("{http://www.w3.org/2000/svg}rect")]
    assert len(widths) == 3
    assert widths == sorted(widths, reverse=True)
    assert "<large> & Co." in "".join(tree.itertext())
    ET.fromstring(chart([]))


def test_the_page_escapes_names_and_loads_nothing() -> None:
    evil = Line("run", "<script>alert(1)</script>", "4", "'\"><img src=x>", 31, 1)
    html = page([*_LINES, evil], _NOW, "http://127.0.0.1:5000")
    assert "<script" not in html
    assert "<img" not in html
    assert not [word for word in ("src=", "href=", "@import", "url(") if word in _tags(html)]
    assert f"{human_bytes((3 << 20) + 11)} of artifacts" in html


def _tags(html: str) -> str:
    """What stands within tags, where it would have an effect."""
    return "".join(part.partition(">")[0] for part in html.split("<")[1:])


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    """What a server would have; reading it for real is in test_jobs.py."""
    given = [Line("run", '=HYPERLINK("x")', "1", "a,b\nc", 40, None), *_LINES]

    def reach(*_args: Any) -> Server:
        nothing: Any = None
        return Server(nothing, nothing, None, _NOW)

    def find_stale(*_args: Any) -> Found:
        return Found((), 0)

    def made(*_args: Any) -> list[Line]:
        return given

    monkeypatch.setattr(report, "reach", reach)
    monkeypatch.setattr(report, "find_stale", find_stale)
    monkeypatch.setattr(report, "lines", made)
    return given


def test_csv_has_a_row_a_line_and_no_formula(lines: list[Line]) -> None:
    done = CliRunner().invoke(report.command, ["--format", "csv"])
    assert done.exit_code == 0
    heading, first, *rest = csv.reader(io.StringIO(done.stdout))
    assert heading == ["kind", "name", "id", "experiment", "age_days", "bytes"]
    assert first == ["run", '\'=HYPERLINK("x")', "1", "a,b\nc", "40", ""]
    assert len(rest) == len(lines) - 1


def test_html_and_table_come_out_too(lines: list[Line]) -> None:
    html = CliRunner().invoke(report.command, ["--format", "html"]).stdout
    assert html.startswith("<!doctype html>")
    assert html.count("<tr>") == len(lines) + 1
    assert "stale entities" in CliRunner().invoke(report.command).stdout
    assert CliRunner().invoke(report.command, ["--format", "pdf"]).exit_code == 2
