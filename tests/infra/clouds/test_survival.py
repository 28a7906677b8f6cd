"""Stacks that an earlier version brought up: today's program knows each resource in their state."""

import functools
import importlib
import pickle
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from pulumi.runtime.mocks import MockMonitor

import infra.clouds
from infra.clouds.shared.dynamic import DynamicProvider
from tests.infra.recording import deploy_azure, deploy_here, deploy_oci
from tests.infra.stack_files import CONFIGS, read

_DEPLOYED = {
    "azure": deploy_azure,
    "docker": deploy_here,
    "local": deploy_here,
    "oci": deploy_oci,
}
_STACK = "pulumi:pulumi:Stack"
# What a state may name, to be loaded when the resource goes. A line here is never taken off: where
# a class moves, its old name stays importable.
_PROVIDERS = {
    "infra.clouds.docker.awaited.AwaitedProvider",
    "infra.clouds.local.database._DatabaseProvider",
    "infra.clouds.local.directory._DataDirectoryProvider",
    "infra.clouds.local.identity._SecretFileProvider",
    "infra.clouds.local.schedule._SchedulerProvider",
    "infra.clouds.local.server._ServerProvider",
    "infra.clouds.local.supervisor._SupervisorProvider",
    "infra.clouds.oci.emptied._EmptiedProvider",
    "infra.clouds.oci.rollout.RolloutProvider",
    "infra.clouds.shared.copied._CopiedImageProvider",
    "infra.clouds.shared.generated._AuthorityProvider",
    "infra.clouds.shared.generated._SecretProvider",
    "infra.clouds.shared.home._HomeProvider",
    "infra.clouds.shared.home._NotedProvider",
    "infra.clouds.oci.settled.SettledProvider",
    "infra.clouds.shared.settled.SettledProvider",
}


def _earlier() -> dict[str, list[str]]:
    """Stack file -> ``PARENT'S TYPE$TYPE::NAME`` of each resource in the state of version 0.1.0."""
    found: dict[str, list[str]] = {}
    case = ""
    for line in (Path(__file__).parent / "urns-0.1.0.txt").read_text().splitlines():
        if line.startswith("["):
            case = line.strip("[]")
        elif line and not line.startswith("#"):
            found.setdefault(case, []).append(line)
    return found


_EARLIER = _earlier()


@dataclass(frozen=True)
class _Registered:
    """A resource as the engine is told of it. ``parent`` is None for what the stack itself has;
    an alias is its (type, parent), each None where it is as the resource's own.
    """

    kind: str
    name: str
    parent: "_Registered | None"
    aliases: tuple[tuple[str | None, str | None], ...]

    @property
    def path(self) -> str:
        return self.kind if self.parent is None else f"{self.parent.path}${self.kind}"

    @property
    def paths(self) -> set[str]:
        """Under which it is looked for in the state: as the engine does, by its own aliases and
        those of what it is in (pkg/resource/deploy/step_generator.go, generateAliases).
        """
        own = {self.path}
        for kind, parent in self.aliases:
            at = (self.parent.path if self.parent else "") if parent is None else parent
            own.add(f"{at}${kind or self.kind}".lstrip("$"))
        if self.parent:
            own |= {f"{path}${self.kind}" for path in self.parent.paths}
        return own


@functools.cache
def _registered(case: str) -> list[_Registered]:
    """All resources of a stack file, but for the stack and the providers."""
    cloud, _, name = case.partition(".")
    found: dict[str, _Registered] = {}
    monitor = cast("Any", MockMonitor)
    register = monitor.RegisterResource

    def told(self: Any, request: Any) -> Any:
        answer = register(self, request)
        if request.type == _STACK:
            return answer
        aliases = tuple(
            (alias.spec.type or None, "" if alias.spec.noParent else None)
            for alias in request.aliases
        )
        # Nothing has another name than before, and nothing was in a part that it no longer is in.
        assert all(
            alias.WhichOneof("alias") == "spec" and not (alias.spec.name or alias.spec.parentUrn)
            for alias in request.aliases
        ), request.name
        found[answer.urn] = _Registered(
            request.type, request.name, found.get(request.parent), aliases
        )
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitor, "RegisterResource", told)
        config = read(CONFIGS / f"{cloud}.happy.{name}.yaml")["config"]
        _DEPLOYED[cloud]({key.removeprefix("trackstack:"): v for key, v in config.items()})
    return [r for r in found.values() if not r.kind.startswith("pulumi:providers:")]


@pytest.mark.parametrize("case", _EARLIER)
def test_each_resource_of_a_stack_of_version_0_1_0_is_one_of_today_s(
    case: str,
) -> None:
    known = [f"{path}::{r.name}" for r in _registered(case) for path in r.paths]
    assert {urn: known.count(urn) for urn in _EARLIER[case]} == dict.fromkeys(_EARLIER[case], 1)


@pytest.mark.parametrize("case", [case for case in _EARLIER if not case.startswith("local.")])
def test_each_resource_is_in_a_component_of_its_cloud(case: str) -> None:
    """But for the resource group, which all parts are in, and what the provider depends on."""
    parts = f"trackstack:{case.partition('.')[0]}:"
    alone = {
        r.name
        for r in _registered(case)
        if not r.kind.startswith(parts) and not r.path.startswith(parts)
    }
    assert alone <= {"group", "home"}


def _provider_classes() -> Iterator[type[DynamicProvider]]:
    """The classes of our dynamic providers that resources have."""
    for module in pkgutil.walk_packages(infra.clouds.__path__, "infra.clouds."):
        importlib.import_module(module.name)
    pending = DynamicProvider.__subclasses__()
    while pending:
        cls = pending.pop()
        below = cls.__subclasses__()
        pending += below
        if not below and cls.__module__.startswith("infra."):
            yield cls


def test_each_provider_that_a_state_may_name_can_be_loaded() -> None:
    for name in _PROVIDERS:
        module, _, cls = name.rpartition(".")
        # As pickled in the state: by reference, and made with no arguments.
        loaded: Any = pickle.loads(f"c{module}\n{cls}\n)R.".encode())
        assert isinstance(loaded, DynamicProvider), name


def test_each_provider_of_today_is_known_as_one_that_states_name() -> None:
    """A new one is to be added above, where its name stays for good."""
    assert {f"{c.__module__}.{c.__qualname__}" for c in _provider_classes()} <= _PROVIDERS
