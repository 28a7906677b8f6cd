"""What dashboards and alarms ask of /metrics is there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.place import ROOT

_NAMED = re.compile(r"\btrackstack_\w+")
_DASHBOARD = ROOT / "docs" / "assets" / "grafana.json"


def _known() -> set[str]:
    """Names as the generated reference has them, with those that a histogram has in Prometheus."""
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    names = set(_NAMED.findall(page))
    return names | {f"{name}_bucket" for name in names}


@pytest.mark.parametrize("file", [_DASHBOARD, ROOT / "docs" / "operations" / "alarms.md"])
def test_every_metric_that_is_asked_for_is_one_of_ours(file: Path) -> None:
    named = set(_NAMED.findall(file.read_text()))
    assert named
    assert named <= _known()


def test_each_panel_asks_the_source_that_the_reader_chose() -> None:
    dashboard: dict[str, Any] = json.loads(_DASHBOARD.read_text())
    (variable,) = dashboard["templating"]["list"]
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"] == f"${{{variable['name']}}}"
        assert all(target["expr"] for target in panel["targets"])
