"""Why a command of the engine failed, in its own words. Pure."""

import json
import re
import subprocess
from typing import Any, cast

_NO_STACK = re.compile(r"no stack named '(\S+)' found")


def reason(done: "subprocess.CompletedProcess[str]") -> str:
    """One line: its last error with what follows, such as the line of a stack file that is wrong;
    of what it prints as JSON, the errors.
    """
    if told := _diagnostics(done.stdout):
        return told
    said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    errors = [number for number, line in enumerate(said) if line.startswith("error:")]
    last = said[errors[-1] :] if errors else said[-1:] or [f"exit code {done.returncode}"]
    told = " ".join(last).removeprefix("error: ")
    missing = _NO_STACK.fullmatch(told)
    return f"{told}; make up STACK={missing[1]} makes it" if missing else told


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
