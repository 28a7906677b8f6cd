"""What an installed provider SDK says about its resources: properties, types, enums.

Read from the Python packages (pulumi_docker, pulumi_azure_native, pulumi_oci) when a resource is
first checked; importing a whole cloud's SDK takes seconds.
"""

import functools
import importlib
import inspect
import sys
import types
import typing
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Union, cast

import pulumi
from pulumi import _types as pulumi_types  # pyright: ignore[reportPrivateUsage]
from pulumi.runtime import rpc

from infra.rehearsal.provider.values import UNKNOWN, Props, Unknown

_PRIMITIVES: dict[type, tuple[str, tuple[type, ...]]] = {
    str: ("a string", (str,)),
    bool: ("a boolean", (bool,)),
    int: ("a number", (int,)),
    float: ("a number", (int, float)),
}


@dataclass(frozen=True)
class Problem:
    """An input that cannot be right: where (dotted path) and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Schema:
    """Of one resource type: the inputs' types, those that must be given, all outputs, and their
    types.
    """

    inputs: Mapping[str, Any]
    required: frozenset[str]
    outputs: frozenset[str]
    output_types: Mapping[str, Any]

    @property
    def computed(self) -> frozenset[str]:
        return self.outputs - set(self.inputs)


@functools.cache
def schema(token: str) -> Schema:
    """The schema of a resource type (``docker:index/container:Container``).

    Raises LookupError for a type that the installed SDK does not have.
    """
    package, module, name = token.split(":")
    importlib.import_module(f"pulumi_{package.replace('-', '_')}")
    registered = cast("Any", rpc.get_resource_module(package, module, ""))
    if registered is None or token not in registered.mod_info["classes"]:
        raise LookupError(f"the installed SDK has no {token}")
    home = importlib.import_module(registered.mod_info["fqn"])
    resource = cast("type[Any]", getattr(home, name))
    # Where a nested type has the resource's name, its arguments are called otherwise.
    own = vars(sys.modules[resource.__module__])
    arguments = cast("type[Any]", own.get(f"{name}InitArgs") or own[f"{name}Args"])
    outputs = {
        cast("str", getattr(member.fget, "_pulumi_name", key))
        for key, member in vars(resource).items()
        if isinstance(member, property)
    }
    types_of_outputs = cast("Any", pulumi_types).resource_types(resource)
    return Schema(_types_of(arguments), _required(arguments), frozenset(outputs), types_of_outputs)


def shown(token: str, inputs: Props) -> Props:
    """The inputs of what is not made yet, as outputs: what the objects in them have besides is
    UNKNOWN.
    """
    known = schema(token).output_types
    return {name: _shown(value, known.get(name)) for name, value in inputs.items()}


def _shown(value: Any, kind: Any) -> Any:
    for option in _options(kind):
        if isinstance(value, list) and typing.get_origin(option) in (list, Sequence):
            (element,) = typing.get_args(option)
            return [_shown(each, element) for each in cast("list[Any]", value)]
        if isinstance(value, dict) and _is_output(option):
            members, given = _members(option), cast("Props", value)
            inner = {name: _shown(each, members.get(name)) for name, each in given.items()}
            return {**dict.fromkeys(members, UNKNOWN), **inner}
    return cast("Any", value)


def _is_output(option: Any) -> bool:
    return isinstance(option, type) and bool(cast("Any", pulumi_types).is_output_type(option))


@functools.cache
def _members(kind: type) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", cast("Any", pulumi_types).output_type_types(kind))


def problems(token: str, inputs: Props) -> Iterator[Problem]:
    """All that the SDK's metadata can tell is wrong with the inputs of a resource."""
    found = schema(token)
    yield from _object(inputs, found.inputs, found.required, "")


def _object(
    values: Mapping[str, Any], types_of: Mapping[str, Any], required: frozenset[str], prefix: str
) -> Iterator[Problem]:
    for name in sorted(required):
        if values.get(name) is None:
            yield Problem(f"{prefix}{name}", f"missing required property '{prefix}{name}'")
    for name, value in values.items():
        # What begins so is the provider's own, as the real ones do it.
        if name.startswith("__"):
            continue
        if name not in types_of:
            expected = ", ".join(sorted(types_of))
            reason = f"unknown property '{prefix}{name}'; expected one of: {expected}"
            yield Problem(f"{prefix}{name}", reason)
        elif value is not None:
            yield from _value(value, types_of[name], f"{prefix}{name}")


def _value(value: Any, expected: Any, path: str) -> Iterator[Problem]:
    options = _options(expected)
    if isinstance(value, Unknown) or Any in options:
        return
    enums = [option for option in options if _is(option, Enum)]
    if enums:
        allowed = [member.value for enum in enums for member in cast("type[Enum]", enum)]
        if value not in allowed:
            listed = ", ".join(map(str, allowed))
            yield Problem(path, f"'{path}' must be one of: {listed}; got {value!r}")
        return
    attempts = [list(_plain(value, option, path)) for option in options]
    if attempts and all(attempts):
        yield from min(attempts, key=len)


def _plain(value: Any, expected: Any, path: str) -> Iterator[Problem]:
    origin = typing.get_origin(expected)
    if expected in _PRIMITIVES:
        words, accepted = _PRIMITIVES[expected]
        if not isinstance(value, accepted) or (isinstance(value, bool) and expected is not bool):
            yield Problem(path, f"'{path}' must be {words}, got {_kind(value)}")
    elif origin in (list, Sequence):
        if not isinstance(value, list):
            yield Problem(path, f"'{path}' must be a list, got {_kind(value)}")
            return
        (element,) = typing.get_args(expected)
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _value(item, element, f"{path}[{index}]")
    elif not isinstance(value, Mapping):
        if origin in (dict, Mapping) or pulumi_types.is_input_type(expected):
            yield Problem(path, f"'{path}' must be an object, got {_kind(value)}")
    elif origin in (dict, Mapping):
        for key, item in cast("Mapping[str, Any]", value).items():
            yield from _value(item, typing.get_args(expected)[1], f"{path}.{key}")
    elif pulumi_types.is_input_type(expected):
        yield from _object(
            cast("Mapping[str, Any]", value), _types_of(expected), _required(expected), f"{path}."
        )


def _options(expected: Any) -> list[Any]:
    """The types that a value may have, without what only a program gives (outputs, awaitables)."""
    if typing.get_origin(expected) not in (Union, types.UnionType):
        return [expected]
    found: list[Any] = []
    for option in typing.get_args(expected):
        if option is type(None) or typing.get_origin(option) is Awaitable:
            continue
        if option is pulumi.Output or typing.get_origin(option) is pulumi.Output:
            continue
        found.extend(_options(option))
    return found


@functools.cache
def _types_of(arguments: type) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", cast("Any", pulumi_types).input_type_types(arguments))


@functools.cache
def _required(arguments: type) -> frozenset[str]:
    names = cast(
        "Mapping[str, str]", cast("Any", pulumi_types).input_type_py_to_pulumi_names(arguments)
    )
    parameters = inspect.signature(arguments.__init__).parameters.values()
    return frozenset(
        names[parameter.name]
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
    )


def _is(option: Any, base: type) -> bool:
    return isinstance(option, type) and issubclass(option, base)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return "a string" if isinstance(value, str) else "a number"
