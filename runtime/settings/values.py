"""Types of settings: ages, schedules, paths, lists. Their errors say what is allowed."""

import json
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from runtime import cron, duration

# What this machine is called by its own programs.
LOOPBACK = ("localhost", "127.0.0.1")


def _check_age(text: str) -> str:
    if text == duration.NEVER:
        return text
    try:
        duration.parse_age(text)
    except ValueError as error:
        raise ValueError(f"{error}, or {duration.NEVER}") from None
    return text


def _check_notice(text: str) -> str:
    duration.parse_age(text)
    return text


def _check_issuer(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise ValueError("must be an https:// address")
    return text.rstrip("/")


_PATH = re.compile(r"(?=.{2,64}\Z)(?!.*\.\.)(/(?!\.(/|\Z))[A-Za-z0-9._~-]+)+")


def _check_path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise ValueError(
            "must be a path such as /mlflow, which begins with / and does not end with it: "
            "letters, digits and ._~- between the slashes, no .., at most 64 characters"
        )
    return text


# Below which a server is reached; empty where it is at the root.
PathPrefix = Annotated[str, AfterValidator(_check_path)]
# Each of these may be duration.NEVER; of days that is None.
Age = Annotated[str, AfterValidator(_check_age), Field(examples=["30d0h0m0s", "12h", "never"])]
# As Age, but never: pruneAction says that.
Notice = Annotated[str, AfterValidator(_check_notice), Field(examples=["7d"])]
Days = Annotated[
    int | None,
    BeforeValidator(duration.parse_days),
    WithJsonSchema(
        {"type": ["integer", "string"], "minimum": 1, "maximum": duration.MOST_DAYS}
        | {"pattern": f"^({duration.NEVER}|[0-9]+)$", "examples": [30, duration.NEVER]}
    ),
]
Schedule = Annotated[
    str, AfterValidator(cron.check_schedule), Field(examples=["*/10 * * * *", duration.NEVER])
]
# What the scheduled prune does with what is stale.
PruneAction = Literal["report", "delete"]
Issuer = Annotated[str, AfterValidator(_check_issuer)]


def _split(text: object) -> object:
    """A list is words with commas between them, or JSON where a word has a comma."""
    if not isinstance(text, str):
        return text
    return tuple(json.loads(text)) if text.startswith("[") else tuple(text.split(","))


# As a group: everybody whom the issuer lets in.
EVERYBODY = "*"
Words = Annotated[tuple[str, ...], BeforeValidator(_split)]
LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
# Under the names that oracle's ocifs gave them.
OciLogin = Literal["api_key", "resource_principal", "instance_principal"]
