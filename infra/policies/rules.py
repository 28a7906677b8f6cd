"""The rules, as functions over a resource's type and inputs. Pure.

What they check of each cloud's resources stands in `checks`, in the module of its name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module

from infra.clouds import data
from infra.policies.reading import Check, Props
from infra.settings import PACKAGES


@dataclass(frozen=True)
class Rule:
    """``checks`` are by resource type: the problems with the inputs of one."""

    name: str
    description: str
    checks: Mapping[str, Check]
    unless_protected: bool = False

    def problems(self, kind: str, props: Props, is_protected: bool) -> Iterator[str]:
        """What is wrong with a resource; ``is_protected`` by the engine's option `protect`."""
        if kind in self.checks and not (self.unless_protected and is_protected):
            yield from self.checks[kind](props)


def _not_protected(_props: Props) -> Iterator[str]:
    yield "it holds data and is not protected; register it with the `data` options of its part"


# Of the others the name says whether they hold data, which rules do not see.
_DATA = sorted(data.ALWAYS)
_DESCRIPTIONS = {
    "artifacts-are-private": (
        "Nobody reads artifacts without a login, and there are no shared keys."
    ),
    "images-are-private": (
        "Registries ask who pulls, and know nobody but the cloud's own identities."
    ),
    "no-port-is-open": "The whole internet reaches the proxy's port at most.",
    "no-secret-in-plain-text": "Secrets come as files, never as environment variables.",
    "rights-are-narrow": (
        "Identities may do what they need on the stack's own resources, and nothing else."
    ),
    "machines-are-closed": (
        "No password logins, and no instance metadata without a header (IMDSv2)."
    ),
}


def _rules() -> Iterator[Rule]:
    clouds = [import_module(f"infra.policies.checks.{package}").CHECKS for package in PACKAGES]
    for name, description in _DESCRIPTIONS.items():
        checks = {kind: check for cloud in clouds for kind, check in cloud.get(name, {}).items()}
        yield Rule(name, description, checks)
    yield Rule(
        "data-is-protected",
        "The engine refuses to delete or replace what holds data.",
        dict.fromkeys(_DATA, _not_protected),
        unless_protected=True,
    )


RULES = tuple(_rules())
