"""All that a stack file may say; the only reader of Pulumi's configuration.

A stack file holds ``trackstack:<key>`` for each key. Plain values become one frozen model, chosen
by ``cloud`` (and by ``compute`` where that asks for other keys); the models stand beside this file.
Secret values (``pulumi config set --secret``) stay Outputs and travel apart in ``Secrets``. Nothing
here looks at the machine or a cloud: the same file gives the same settings anywhere.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields

import pulumi
from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from infra.errors import StackError
from infra.settings.azure import Azure
from infra.settings.common import Common
from infra.settings.local import Local, LocalContainer
from infra.settings.oci import Oci

PROJECT = "trackstack"

Settings = Local | LocalContainer | Azure | Oci
# cloud -> compute -> model; the first compute is the default.
_CLOUDS: dict[str, dict[str, type[Settings]]] = {
    "local": {"process": Local, "container": LocalContainer},
    "azure": {"container": Azure, "scale": Azure, "vm": Azure},
    "oci": {"container": Oci, "scale": Oci, "vm": Oci},
}


@dataclass(frozen=True)
class Secrets:
    """The secret keys of a stack file, each an Output that Pulumi keeps encrypted."""

    backend_store_uri: pulumi.Output[str] | None = None
    oidc_client_secret: pulumi.Output[str] | None = None
    registry_password: pulumi.Output[str] | None = None
    tls_key: pulumi.Output[str] | None = None

    def keys(self) -> frozenset[str]:
        """The keys that are given, as the stack file names them."""
        given = [field.name for field in fields(self) if getattr(self, field.name) is not None]
        return frozenset(map(to_camel, given))


_SECRET_KEYS = {to_camel(field.name): field.name for field in fields(Secrets)}


def _problem(error: ErrorDetails, given: Mapping[str, str], model: type[Common]) -> str:
    # A validator of several keys names the one that is to blame.
    key = str((error.get("ctx") or {}).get("key") or error["loc"][0])
    if error["type"] == "extra_forbidden":
        return f"{PROJECT}:{key}: unknown key; {_meant(key, model)}"
    message = error["msg"].removeprefix("Value error, ")
    value = f" (is {given[key]!r})" if key in given else ""
    if message.startswith(("Input ", "String ")):
        message = message[0].lower() + message[1:]
    return f"{PROJECT}:{key}: {message}{value}"


def _allowed_keys(model: type[Common]) -> list[str]:
    return sorted(
        [*(str(field.alias) for field in model.model_fields.values()), *model.secret_keys]
    )


def _meant(key: str, model: type[Common]) -> str:
    allowed = _allowed_keys(model)
    near = difflib.get_close_matches(key, allowed, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}allowed: {', '.join(allowed)}"


def _model(given: Mapping[str, str]) -> type[Settings]:
    cloud = given.get("cloud")
    if cloud not in _CLOUDS:
        was = "is missing" if cloud is None else f"{cloud!r} is no cloud"
        raise StackError(f"{PROJECT}:cloud: {was}; allowed: {', '.join(_CLOUDS)}")
    computes = _CLOUDS[cloud]
    compute = given.get("compute", next(iter(computes)))
    if compute not in computes:
        raise StackError(
            f"{PROJECT}:compute: {compute!r} is no compute of {cloud}; allowed: "
            f"{', '.join(computes)}"
        )
    return computes[compute]


def parse(given: Mapping[str, str]) -> Settings:
    """Plain keys and values of a stack file -> settings.

    Raises StackError with one line for each key that is wrong: the key, what is wrong with it
    or what is allowed, and the value.
    """
    model = _model(given)
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise StackError(*(_problem(problem, given, model) for problem in problems)) from None


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
    for key in sorted(secret - settings.secret_keys):
        raise StackError(f"{PROJECT}:{key}: means nothing here; {_meant(key, type(settings))}")
    config = pulumi.Config(PROJECT)
    return settings, Secrets(
        **{field: config.get_secret(key) for key, field in _SECRET_KEYS.items()}
    )
