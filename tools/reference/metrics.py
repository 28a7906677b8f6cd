"""The page of the server's metrics."""

from collections.abc import Iterator
from typing import Any

from runtime.jobs.scheduler import LastRun
from runtime.metrics import PATH, Metrics, build_info, job_families, store_families
from runtime.settings import load
from tools.reference.text import GENERATED, code, table

_HEAD = f"""\
# Metrics

{GENERATED} `GET {PATH}`, with a token of role `read`, answers in the text format of Prometheus.
`job` is `gc`, `prune`, `backup` or `drill`; `area` is `api`, `ui`, `artifacts`, `traces` or
`other`. How to be told of what they say: [Alarms](../operations/alarms.md).

"""
_MOMENT = "2026-11-25T00:00:00+00:00"


def families() -> Iterator[Any]:
    """Every metric that a server can have, with a value each."""
    server = Metrics(load({}))
    server.observe("GET", "/", 200, 0.1)
    yield from server.requests.collect()
    # One that deletes and one that only reports.
    for dry_run in (False, True):
        done = {"dry_run": dry_run, "bytes": 1, "deleted": {"runs": 1}}
        run = LastRun(_MOMENT, 1.0, 0, 1, _MOMENT, done)
        yield from (family for family in job_families({"prune": run}) if family.samples)
    yield build_info(None)
    yield from store_families({("runs", "active"): 1}, is_up=True)


def page() -> str:
    """The page, in Markdown."""
    rows = {family.name: _row(family) for family in families()}
    return _HEAD + table(["metric", "kind", "labels", "what it says"], rows.values())


def _row(family: Any) -> tuple[str, str, str, str]:
    name = family.name + ("_total" if family.type == "counter" else "")
    labels = dict.fromkeys(label for sample in family.samples for label in sample.labels)
    shown = ", ".join(code(label) for label in labels if label != "le")
    return code(name), str(family.type), shown, str(family.documentation)
