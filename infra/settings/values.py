"""The types of values that a stack file may hold, beyond those of pydantic."""

import ipaddress
import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

_HOSTNAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9-]{1,63})*")


def from_json(value: Any) -> Any:
    """Pulumi hands a nested value over as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _check_names(environment: dict[str, str]) -> dict[str, str]:
    for name in environment:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{name!r} is no name of an environment variable")
    return environment


def _no_line_breaks(text: str) -> str:
    if any(ord(character) < 32 for character in text):
        raise ValueError("must be one line of printable characters")
    return text


def _check_https(text: str) -> str:
    if not re.fullmatch(r"https://[^\s/?#@]+(/[^\s?#]*)?", text):
        raise ValueError("must be an address that begins with https://")
    return text.rstrip("/")


def _check_hostname(text: str) -> str:
    if not _HOSTNAME.fullmatch(text):
        raise ValueError("must be a host name in lower case such as mlflow.example.com")
    return text


def _check_network(text: str) -> str:
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is no IPv4 network such as 203.0.113.0/24: {error}") from None


def _check_digest(text: str) -> str:
    if not re.fullmatch(r"[^\s@]+@sha256:[0-9a-f]{64}", text):
        raise ValueError("must name an image by digest: repository@sha256:<64 hex digits>")
    return text


def _check_backup_name(text: str) -> str:
    if not re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{4}", text):
        raise ValueError("must name a backup, such as 20261121T035500Z-3fa2")
    return text


Line = Annotated[str, Field(min_length=1), AfterValidator(_no_line_breaks)]
Lines = Annotated[tuple[Line, ...], BeforeValidator(from_json)]
Environment = Annotated[dict[str, Line], BeforeValidator(from_json), AfterValidator(_check_names)]
Tags = Annotated[dict[str, Line], BeforeValidator(from_json)]
# The examples of a type stand in the reference of all keys, and in the schema for editors.
HttpsUrl = Annotated[str, AfterValidator(_check_https)]
Digest = Annotated[
    str, AfterValidator(_check_digest), Field(examples=["registry.example/trackstack@sha256:<hex>"])
]
BackupName = Annotated[
    str, AfterValidator(_check_backup_name), Field(examples=["20261121T035500Z-3fa2"])
]
Hostname = Annotated[str, AfterValidator(_check_hostname), Field(examples=["mlflow.example.com"])]
Network = Annotated[str, AfterValidator(_check_network), Field(examples=["203.0.113.0/24"])]
Networks = Annotated[tuple[Network, ...], BeforeValidator(from_json)]
