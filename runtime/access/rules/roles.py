"""Which role a request needs, and what it is about. Pure.

Decided by method and path as the application will see them, from the table in `routes`. What the
table does not know is an administrator's, so that a route which a newer MLflow adds is never
anybody else's by mistake.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from runtime.access.rules.routes import TABLE
from runtime.tokens.store import Role

_PARAMETER = re.compile(r"\{\w+(:path)?\}")
_SLASHES = re.compile(r"/{2,}")
_REGISTRY_DELETE = frozenset(
    {"/api/2.0/mlflow/registered-models/delete", "/api/2.0/mlflow/model-versions/delete"}
)


class RouteScope(Enum):
    """What requests to a route are about: see `routes`."""

    NONE = "none"
    EXPERIMENT = "experiment"
    RUN = "run"
    MODEL = "model"
    PATH = "path"
    GLOBAL = "global"


@dataclass(frozen=True)
class Rule:
    """Who may use a route, and on what."""

    role: Role
    scope: RouteScope


# Method -> rule, of one path template.
_Rules = dict[str, Rule]


def _read(table: str) -> dict[str, _Rules]:
    """The table's path templates with their rules by method."""
    templates: dict[str, _Rules] = {}
    for line in table.splitlines():
        if line and not line.startswith("#"):
            role, scope, methods, template = line.split()
            rule = Rule(Role.named(role), RouteScope(scope))
            templates.setdefault(template, {}).update(dict.fromkeys(methods.split(","), rule))
    return templates


def _pattern(template: str) -> re.Pattern[str]:
    """What a template with parameters matches; MLflow routes decoded paths, so any character."""
    text, end = "", 0
    for parameter in _PARAMETER.finditer(template):
        text += re.escape(template[end : parameter.start()])
        text += ".+" if parameter[1] else "[^/]+"
        end = parameter.end()
    return re.compile(text + re.escape(template[end:]), re.DOTALL)


_TEMPLATES = _read(TABLE)
_EXACT = {_t.rstrip("/") or "/": rules for _t, rules in _TEMPLATES.items() if "{" not in _t}
# By what stands before their first parameter, which ends in "/": few of them are ever compared.
_PATTERNS: dict[str, list[tuple[re.Pattern[str], _Rules]]] = {}
for _t, _rules in _TEMPLATES.items():
    if "{" in _t:
        _PATTERNS.setdefault(_t.partition("{")[0], []).append((_pattern(_t), _rules))
_DEEPEST = max(start.count("/") for start in _PATTERNS)


def plain(path: str) -> str:
    """One spelling for all that lead to the same route."""
    path = _SLASHES.sub("/", path).rstrip("/") or "/"
    return path.replace("/ajax-api/", "/api/", 1) if path.startswith("/ajax-api/") else path


def _matches(path: str) -> Iterator[_Rules]:
    """The rules of all templates that ``path`` (as `plain` has it) may be meant by."""
    if path in _EXACT:
        yield _EXACT[path]
    end = 0
    for _ in range(_DEEPEST):
        end = path.find("/", end) + 1
        if not end:
            return
        for pattern, rules in _PATTERNS.get(path[:end], ()):
            if pattern.fullmatch(path):
                yield rules


def rule_of(method: str, path: str) -> Rule | None:
    """What the table says of ``method`` on ``path``; None where it knows no such route."""
    matching = list(_matches(plain(path)))
    if method == "OPTIONS" and matching:
        # It tells which methods there are.
        return Rule(Role.READ, RouteScope.NONE)
    asked = "GET" if method == "HEAD" else method
    found = [rules[asked] for rules in matching if asked in rules]
    if len(found) < 2:
        return found[0] if found else None
    # Where two templates match, MLflow takes one of them: the higher role covers both.
    scopes = {rule.scope for rule in found}
    scope = scopes.pop() if len(scopes) == 1 else RouteScope.GLOBAL
    return Rule(max(rule.role for rule in found), scope)


def required_role(method: str, path: str, *, protect_registry: bool = False) -> Role:
    """The role for ``method`` on ``path`` (decoded, without the static prefix)."""
    if protect_registry and method == "DELETE" and plain(path) in _REGISTRY_DELETE:
        return Role.ADMIN
    rule = rule_of(method, path)
    return rule.role if rule else Role.ADMIN


def is_known(method: str, path: str) -> bool:
    """Whether the table has this route with this method."""
    return rule_of(method, path) is not None
