"""How the server is: versions, schema, and its jobs' last and next runs, from the store.

Every replica so tells the same. As JSON for `trackstack status`, and as a page for people.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime, timezone
from html import escape
from importlib.metadata import version
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from runtime import metrics
from runtime.access import pages
from runtime.access.callers import Callers
from runtime.access.exchange import exchange_of
from runtime.access.people import changes, chart, openapi
from runtime.access.people.api import JSON
from runtime.access.responses import answer, answer_error, answer_page
from runtime.database.state import revisions
from runtime.jobs.growth import Day, Growth
from runtime.jobs.runs import JobRuns, JobState, overdue
from runtime.settings import RuntimeSettings
from runtime.tokens.store import Role

PAGE, API = "/trackstack/", openapi.STATUS


def api(callers: Callers, settings: RuntimeSettings) -> ASGIApp:
    """The facts as JSON."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        found = await asyncio.to_thread(_facts, callers, settings)
        await answer(send, 200, JSON, json.dumps(found).encode())

    return app


def page(callers: Callers, settings: RuntimeSettings) -> ASGIApp:
    """The facts as a page, at /trackstack and /trackstack/."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if exchange_of(scope).path.rstrip("/") != PAGE.rstrip("/"):
            await answer_error(send, 404, "ENDPOINT_NOT_FOUND", "nothing is here")
            return
        found = await asyncio.to_thread(_facts, callers, settings)
        more = ""
        if exchange_of(scope).known_caller().role is Role.ADMIN:
            kept = changes.Changes(lambda: callers.engine)
            more = changes.part(await asyncio.to_thread(kept.list))
        await answer_page(send, 200, _page(settings.path_prefix, found, more))

    return app


def _facts(callers: Callers, settings: RuntimeSettings) -> dict[str, Any]:
    """Asks the database, so not for an event loop."""
    has, should = revisions(callers.engine)
    states = JobRuns(callers.engine).list()
    found = facts(settings.stack, has, should, states, datetime.now(timezone.utc))
    days = Growth(callers.engine).list()
    return found | {"growth": [{**asdict(each), "day": str(each.day)} for each in days]}


def facts(
    stack: str | None, has: str | None, should: str, states: list[JobState], now: datetime
) -> dict[str, Any]:
    """What there is to say, and what is not well. Pure."""
    late = overdue(states, now)
    problems = [f"{name} is overdue: nobody runs the schedules" for name in late]
    problems += [
        f"{state.name} failed: exit code {state.run['exit_code']}"
        for state in states
        if state.run and state.run.get("exit_code")
    ]
    if has != should:
        problems.append(f"the store has schema {has or 'none'}, not {should}")
    return {
        "stack": stack,
        "trackstack": version("trackstack"),
        "mlflow": version("mlflow"),
        "schema": has,
        "time": _time(now),
        "jobs": [_job(state, now, is_overdue=state.name in late) for state in states],
        "problems": problems,
    }


def _job(state: JobState, now: datetime, *, is_overdue: bool) -> dict[str, Any]:
    run = state.run or {}
    return {
        "name": state.name,
        "schedule": state.cron,
        "next": _time(state.next(now)),
        "overdue": is_overdue,
        "running_since": _time(state.running) if state.running else None,
        "last": run.get("started"),
        "last_success": run.get("last_success"),
        "seconds": run.get("seconds"),
        "exit_code": run.get("exit_code"),
        "counts": dict(metrics.rows_of(run.get("result"))),
    }


def _time(when: datetime) -> str:
    return f"{when.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def _page(prefix: str, found: Mapping[str, Any], more: str) -> bytes:
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
    growth = chart.part(days)
    named = f"The stack {escape(found['stack'])}: " if found["stack"] else ""
    content = (
        f"{problems or '<p>All is well.</p>'}\n"
        f"<p>{named}Trackstack {found['trackstack']}, MLflow {found['mlflow']}, schema "
        f"{escape(str(found['schema']))}, {found['time']}</p>\n<h2>Jobs</h2>\n{jobs}{growth}{more}"
        f'<p><a href="{escape(prefix + pages.ACCOUNT)}">Tokens and sign-out</a>, '
        f'<a href="{escape(prefix)}/">MLflow</a></p>\n'
    )
    return pages.page("How the server is", content, wide=True)


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
