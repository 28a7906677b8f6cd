"""All that a stack file may say. Pure: the same file gives the same settings anywhere.

A stack file holds ``trackstack:<key>`` for each key. Plain values become one frozen model, chosen
by ``cloud`` (and by ``compute`` where that asks for other keys); the models stand beside this file.
Secret values (``pulumi config set --secret``) are no part of it: the program has them as Outputs
(infra.inputs.Secrets). Two callers read stack files, both through ``read``: the program
(infra.inputs) and the commands that work on a stack (infra.operations.stack.Stack.settings).
"""

import difflib
from collections.abc import Iterable, Mapping
from itertools import chain

from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from infra.errors import StackError
from infra.settings.azure import Azure
from infra.settings.common import Common
from infra.settings.local import Local, LocalContainer
from infra.settings.oci import Oci
from runtime.settings import field_of

PROJECT = "trackstack"

# Of which kind a stack is, only what is made for that kind needs to know.
Settings = Common
# cloud -> compute -> model; the first compute is the default. This is the one place that lists the
# clouds; each has modules of its name in settings, plan, clouds, policies and rehearsal.
CLOUDS: dict[str, dict[str, type[Settings]]] = {
    "local": {"process": Local, "container": LocalContainer},
    "azure": {"container": Azure, "scale": Azure, "vm": Azure},
    "oci": {"container": Oci, "scale": Oci, "vm": Oci},
}


MODELS: tuple[type[Settings], ...] = tuple(
    dict.fromkeys(chain.from_iterable(computes.values() for computes in CLOUDS.values()))
)
# Those of the kinds of stacks: each has modules or folders of these names.
PACKAGES: tuple[str, ...] = tuple(dict.fromkeys(model.package for model in MODELS))
# The keys that must be secret, of whichever stack.
SECRET_KEYS = frozenset(chain.from_iterable(model.secret_keys for model in MODELS))


def package_of(provider: str) -> str:
    """The name of a provider's folders and dependency group: `azure-native` -> `azure`."""
    return provider.partition("-")[0]


def sdk_of(provider: str) -> str:
    """The Python package of a provider's SDK."""
    return f"pulumi_{provider.replace('-', '_')}"


def group_of(provider: str) -> str:
    """The dependency group of pyproject.toml that has a provider's SDK."""
    return f"infra-{package_of(provider)}"


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
    if field := field_of(key):
        ours = to_camel(field.removeprefix("given_"))
        if ours in allowed:
            return f"the key of the variable {key} is {ours}"
        if field in model.free_variables:
            return f"as a variable it goes into the key environment: {{{key}: ...}}"
        return f"the stack sets the variable {key} by itself"
    near = difflib.get_close_matches(key, allowed, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{hint}allowed: {', '.join(allowed)}"


def model_of(given: Mapping[str, str]) -> type[Settings]:
    """The model of a stack file's plain keys, whatever else is wrong with them.

    Raises StackError where cloud or compute is none that there is.
    """
    cloud = given.get("cloud")
    if cloud not in CLOUDS:
        was = "is missing" if cloud is None else f"{cloud!r} is no cloud"
        raise StackError(f"{PROJECT}:cloud: {was}; allowed: {', '.join(CLOUDS)}")
    computes = CLOUDS[cloud]
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
    model = model_of(given)
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise StackError(*(_problem(problem, given, model) for problem in problems)) from None


def _check_secrecy(plain: Iterable[str], secret: Iterable[str]) -> None:
    problems = [
        f"{PROJECT}:{key}: must not stand in plain text; "
        f"set it with `pulumi config set --secret {PROJECT}:{key}`"
        for key in sorted(SECRET_KEYS.intersection(plain))
    ] + [
        f"{PROJECT}:{key}: is no secret; set it without --secret"
        for key in sorted(set(secret) - SECRET_KEYS)
    ]
    if problems:
        raise StackError(*problems)


def read(plain: Mapping[str, str], secret: Iterable[str]) -> Settings:
    """All that a stack file says: its plain keys with their values, and its secret keys.

    Raises StackError as ``parse`` does, and where a key is secret that must not be, or is not.
    """
    _check_secrecy(plain, secret)
    settings = parse(plain)
    for key in sorted(set(secret) - settings.secret_keys):
        raise StackError(f"{PROJECT}:{key}: means nothing here; {_meant(key, type(settings))}")
    return settings
