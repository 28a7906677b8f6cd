"""Why a command of the engine failed, in its own words. Pure."""

import json
import subprocess
from typing import Any, cast


def reason(done: "subprocess.CompletedProcess[str]") -> str:
    """One line; of what it prints as JSON, the errors."""
    if told := _diagnostics(done.stdout):
        return told
    said = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    errors = [line for line in said if line.startswith("error:")]
    return (errors or said or [f"exit code {done.returncode}"])[-1].removeprefix("error: ")


def _diagnostics(printed: str) -> str:
    """The errors in what a command prints as JSON; empty where it is none, or has none."""
    try:
        found = json.loads(printed)
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    given = cast("list[dict[str, Any]]", cast("dict[str, Any]", found).get("diagnostics") or [])
    errors = [
        str(one.get("message", "")).strip() for one in given if one.get("severity") == "error"
    ]
    told = (one for one in errors if not one.endswith("failed"))
    return "; ".join(dict.fromkeys(told)) or "; ".join(errors)
