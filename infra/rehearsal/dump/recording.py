"""A plan's resources on the SDK's mocks: what each sends to its provider, with its options."""

import asyncio
import functools
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast
from unittest.mock import patch

import pulumi
from pulumi.runtime.mocks import MockMonitor

from infra.clouds.deploy import deploy
from infra.clouds.shared.registry import Login
from infra.inputs import Secrets
from infra.plan import Plan
from infra.settings import PROJECT

# Marks what is secret on its way to the engine, sdk/go/common/resource/plugin/rpc.go.
_SIGNATURE = "4dabf18193072939515e22adb298388d"
MASK = "[secret]"


def _uploaded(_plan: object, told: Any) -> str:
    return told.relative_path


# What a module of a cloud asks outside of the engine -> the answer.
_ASKED: dict[tuple[str, str], Callable[..., Any]] = {
    ("image", "exchange"): lambda *_: "token",
    ("build", "_upload"): _uploaded,
    ("network", "is_free"): lambda *_, **_named: True,
    ("scope", "is_refused"): lambda *_: False,
    ("scope", "login_of_docker"): lambda *_: Login(),
    ("scope", "check_login"): lambda *_: None,
}


@dataclass(frozen=True)
class Registered:
    """One resource as the engine is asked for it; ``inputs`` have their secrets marked.

    ``options`` are those that decide about order, replacement and deletion, with URNs.
    """

    type: str
    name: str
    inputs: dict[str, Any]
    options: dict[str, Any]
    is_component: bool


class _Monitor(MockMonitor):
    def __init__(self, mocks: pulumi.runtime.Mocks, found: list[Registered]) -> None:
        super().__init__(_Listening(mocks, self))
        self.found = found
        self.inputs: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the SDK's name
        answer = cast("Any", super()).RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            inputs = self.inputs.pop(f"{request.type} {request.name}")
            options = {
                "urn": answer.urn,
                "parent": request.parent,
                "dependencies": sorted(_dependencies(request)),
                "protect": request.protect,
                "replaceOnChanges": list(request.replaceOnChanges),
                "ignoreChanges": list(request.ignoreChanges),
                "retainOnDelete": request.retainOnDelete,
                "deleteBeforeReplace": request.deleteBeforeReplace,
                "deletedWith": request.deletedWith,
                "provider": request.provider,
            }
            made = Registered(request.type, request.name, inputs, options, not request.custom)
            self.found.append(made)
        return answer


class _Listening(pulumi.runtime.Mocks):
    """Passes all on, and keeps the inputs."""

    def __init__(self, mocks: pulumi.runtime.Mocks, monitor: _Monitor) -> None:
        self.mocks: Any = mocks
        self.monitor = monitor

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> Any:
        self.monitor.inputs[f"{args.typ} {args.name}"] = cast("Any", args).inputs
        return self.mocks.new_resource(args)

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        return self.mocks.call(args)


def _dependencies(request: Any) -> set[str]:
    by_property = (urn for found in request.propertyDependencies.values() for urn in found.urns)
    return {*request.dependencies, *by_property}


def record(
    plan: Plan, stack: str, mocks: pulumi.runtime.Mocks, secrets: Mapping[str, str] | None = None
) -> list[Registered]:
    """Register the plan's resources with ``mocks`` as their clouds, in the order of the engine.

    ``secrets`` are the values of `Secrets`' fields. Raises what the resources and ``mocks`` raise.
    """
    found: list[Registered] = []
    runtime = cast("Any", pulumi.runtime)
    with _nothing_leaves(plan), _stack_traces():
        # The SDK asks for the thread's loop, of which an earlier `asyncio.run` has left none.
        asyncio.set_event_loop(_event_loop())
        runtime.set_mocks(mocks, project=PROJECT, stack=stack, monitor=_Monitor(mocks, found))
        values = {name: pulumi.Output.secret(value) for name, value in (secrets or {}).items()}
        runtime.test(lambda: deploy(plan, Secrets(**values)))()
    return found


@functools.cache
def _event_loop() -> asyncio.AbstractEventLoop:
    """One for all recordings of this process."""
    return asyncio.new_event_loop()


@contextmanager
def _nothing_leaves(plan: Plan) -> Generator[None]:
    """What the program itself asks of registries and of this machine is answered here."""
    with ExitStack() as replaced:
        for (module, name), answer in _ASKED.items():
            path = f"infra.clouds.{plan.package}.{module}"
            if find_spec(path) and hasattr(found := import_module(path), name):
                replaced.enter_context(patch.object(found, name, answer))
        yield


@contextmanager
def _stack_traces() -> Generator[None]:
    """A dynamic provider that fails switches stack traces off, and the SDK reads its own."""
    limit = getattr(sys, "tracebacklimit", None)
    if limit is not None:
        del sys.tracebacklimit
    try:
        yield
    finally:
        if limit is not None:
            sys.tracebacklimit = limit


def opened(value: Any) -> Any:
    """Inputs with what is secret in plain text."""
    return _unmarked(value, lambda secret: opened(secret))


def masked(value: Any) -> Any:
    """Inputs with a mask in place of each text and number that is secret."""
    return _unmarked(value, _all_masked)


def _unmarked(value: Any, of_secret: Callable[[Any], Any]) -> Any:
    if isinstance(value, list):
        return [_unmarked(each, of_secret) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    known = cast("dict[str, Any]", value)
    if _SIGNATURE in known:
        return of_secret(known.get("value"))
    return {key: _unmarked(each, of_secret) for key, each in known.items()}


def _all_masked(value: Any) -> Any:
    if isinstance(value, list):
        return [_all_masked(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value if value is None or isinstance(value, bool) else MASK
    known = cast("dict[str, Any]", value)
    if _SIGNATURE in known:
        return _all_masked(known.get("value"))
    return {key: _all_masked(each) for key, each in known.items()}
