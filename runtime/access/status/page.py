"""The status as a page, by no script. Pure."""

from collections.abc import Mapping
from datetime import date
from html import escape
from typing import Any

from runtime.access import pages
from runtime.access.status import chart
from runtime.client.status import details
from runtime.jobs.growth import Day


def page(prefix: str, found: Mapping[str, Any], more: str) -> bytes:
    """What `facts` found; ``more`` is HTML that follows."""
    problems = "".join(
        f'<p class="wrong" role="alert">{escape(problem)}</p>\n' for problem in found["problems"]
    )
    rows = "".join(_row(job) for job in found["jobs"])
    jobs = (
        '<div class="table"><table>\n<tr><th>Job<th>Schedule (UTC)<th>Last run<th>Outcome<th>Next'
        f"</tr>\n{rows}</table></div>\n"
        if rows
        else "<p>No schedule has told of itself yet.</p>\n"
    )
    days = [
        Day(date.fromisoformat(each["day"]), each["runs"], each["bytes"])
        for each in found["growth"]
    ]
    named = f"The stack {escape(found['stack'])}: " if found["stack"] else ""
    content = (
        f"{problems or '<p>All is well.</p>'}\n"
        f"<p>{named}Trackstack {found['trackstack']}, MLflow {found['mlflow']}, schema "
        f"{escape(str(found['schema']))}, {found['time']}</p>\n"
        f"{_details(found)}<h2>Jobs</h2>\n{jobs}{chart.part(days)}{more}"
        f'<p><a href="{escape(prefix + pages.ACCOUNT)}">Tokens and sign-out</a>, '
        f'<a href="{escape(prefix)}/">MLflow</a></p>\n'
    )
    return pages.page("How the server is", content, wide=True)


def _details(found: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}'
        f'<td style="overflow-wrap:anywhere">{escape(text)}</tr>\n'
        for name, text in details(found)
    )
    return f'<h2>Now</h2>\n<div class="table"><table>\n{rows}</table></div>\n' if rows else ""


def _row(job: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{name} {value:.0f}" for name, value in job["counts"].items())
    if job["running_since"]:
        outcome = f"runs since {job['running_since']}"
    elif job["last"] is None:
        outcome = "has not run yet"
    else:
        outcome = "well" if job["exit_code"] == 0 else f"failed ({job['exit_code']})"
    following = "overdue" if job["overdue"] else job["next"]
    shown = (
        job["name"],
        job["schedule"],
        job["last"] or "",
        f"{outcome}{', ' if counts else ''}{counts}",
        following,
    )
    return "<tr>" + "".join(f"<td>{escape(str(cell))}" for cell in shown) + "</tr>\n"
