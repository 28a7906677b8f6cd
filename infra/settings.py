"""All that a stack file may say; the only reader of Pulumi's configuration.

A stack file holds ``trackstack:<key>`` for each key below. Plain values become one frozen model
per cloud, chosen by ``cloud``; secret values (``pulumi config set --secret``) stay Outputs and
travel apart in ``Secrets``. Nothing here looks at the machine or a cloud: the same file gives
the same settings anywhere.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import pulumi
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from infra.errors import StackError
from runtime.settings import Age, Schedule

PROJECT = "trackstack"


def _check_names(environment: dict[str, str]) -> dict[str, str]:
    for name in environment:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{name!r} is no name of an environment variable")
        if name in _OWNED_VARIABLES:
            raise ValueError(f"{name} is set by the stack: use the key {_OWNED_VARIABLES[name]}")
    return environment


def _from_json(value: Any) -> Any:
    """Pulumi hands a nested value over as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _no_line_breaks(text: str) -> str:
    if any(ord(character) < 32 for character in text):
        raise ValueError("must be one line of printable characters")
    return text


# variable -> the key that sets it
_OWNED_VARIABLES = {
    "MLFLOW_BACKEND_STORE_URI": "backendStoreUri",
    "MLFLOW_ARTIFACTS_DESTINATION": "artifactsDestination",
    "MLFLOW_SERVE_ARTIFACTS": "serveArtifacts",
    "MLFLOW_TRACKING_GC_TTL": "gcTtl",
    "MLFLOW_TRACKING_ENTITY_TTL": "entityTtlDays",
    "MLFLOW_PORT": "port",
    "MLFLOW_WORKERS": "workers",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "jobExecution",
    "MLFLOW_TRACKING_TOKEN": "(none: it is generated)",
}

Line = Annotated[str, Field(min_length=1), AfterValidator(_no_line_breaks)]
Environment = Annotated[dict[str, Line], BeforeValidator(_from_json), AfterValidator(_check_names)]


class Common(BaseModel):
    """The keys that every cloud has."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True
    )

    workers: int = Field(2, ge=1, le=64)
    serve_artifacts: bool = True
    job_execution: bool = False
    gc_schedule: Schedule = "*/10 * * * *"
    gc_ttl: Age = "30d0h0m0s"
    prune_schedule: Schedule = "0 0 * * *"
    entity_ttl_days: int = Field(30, ge=1, le=36500)
    keep_data: bool = True
    environment: Environment = Field(default_factory=dict[str, str])


class Local(Common):
    """A stack on this machine."""

    cloud: Literal["local"]
    port: int = Field(5000, ge=1024, le=65535)
    data_dir: Line | None = None
    artifacts_destination: Line | None = None


Settings = Local
_CLOUDS: dict[str, type[Settings]] = {"local": Local}


@dataclass(frozen=True)
class Secrets:
    """The secret keys of a stack file, each an Output that Pulumi keeps encrypted."""

    backend_store_uri: pulumi.Output[str] | None = None


_SECRET_KEYS = {to_camel(field.name): field.name for field in fields(Secrets)}


def _problem(error: ErrorDetails, given: Mapping[str, str]) -> str:
    key = str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        return f"{PROJECT}:{key}: unknown key; allowed: {_allowed_keys(given)}"
    message = error["msg"].removeprefix("Value error, ")
    value = f" (is {given[key]!r})" if key in given else ""
    if message.startswith(("Input ", "String ")):
        message = message[0].lower() + message[1:]
    return f"{PROJECT}:{key}: {message}{value}"


def _allowed_keys(given: Mapping[str, str]) -> str:
    names = [str(field.alias) for field in _CLOUDS[given["cloud"]].model_fields.values()]
    return ", ".join(sorted(names + list(_SECRET_KEYS)))


def parse(given: Mapping[str, str]) -> Settings:
    """Plain keys and values of a stack file -> settings.

    Raises StackError with one line for each key that is wrong: the key, what is wrong with it
    or what is allowed, and the value.
    """
    cloud = given.get("cloud")
    if cloud not in _CLOUDS:
        allowed = ", ".join(_CLOUDS)
        was = "is missing" if cloud is None else f"{cloud!r} is no cloud"
        raise StackError(f"{PROJECT}:cloud: {was}; allowed: {allowed}")
    try:
        return _CLOUDS[cloud].model_validate(dict(given))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        raise StackError(*(_problem(problem, given) for problem in problems)) from None


def _check_secrecy(given: Mapping[str, str], secret: frozenset[str]) -> None:
    problems = [
        f"{PROJECT}:{key}: must not stand in plain text; "
        f"set it with `pulumi config set --secret {PROJECT}:{key}`"
        for key in sorted(_SECRET_KEYS.keys() & given.keys() - secret)
    ] + [
        f"{PROJECT}:{key}: is no secret; set it without --secret"
        for key in sorted(secret - _SECRET_KEYS.keys())
    ]
    if problems:
        raise StackError(*problems)


def load() -> tuple[Settings, Secrets]:
    """Read the stack file of the running Pulumi program."""
    prefix = f"{PROJECT}:"
    everything = pulumi.runtime.config.get_config_env() | pulumi.runtime.config.CONFIG.get()
    given = {k.removeprefix(prefix): v for k, v in everything.items() if k.startswith(prefix)}
    secret = frozenset(
        key for key in given if pulumi.runtime.config.is_config_secret(f"{prefix}{key}")
    )
    _check_secrecy(given, secret)
    settings = parse({key: value for key, value in given.items() if key not in secret})
    config = pulumi.Config(PROJECT)
    return settings, Secrets(
        **{field: config.get_secret(key) for key, field in _SECRET_KEYS.items()}
    )
