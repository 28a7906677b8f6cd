"""Which role a request needs. Pure.

Decided by method and path as the application will see them, from the table in `routes`. What the
table does not know is an administrator's, so that a route which a newer MLflow adds is never
anybody else's by mistake.
"""

import re
from collections.abc import Iterator

from runtime.access.rules.routes import TABLE
from runtime.tokens.store import Role

_PARAMETER = re.compile(r"\{\w+(:path)?\}")
_SLASHES = re.compile(r"/{2,}")
_REGISTRY_DELETE = frozenset(
    {"/api/2.0/mlflow/registered-models/delete", "/api/2.0/mlflow/model-versions/delete"}
)
# Method -> role, of one path template.
_Roles = dict[str, Role]


def _read(table: str) -> dict[str, _Roles]:
    """The table's path templates with their roles by method."""
    templates: dict[str, _Roles] = {}
    for line in table.splitlines():
        if line and not line.startswith("#"):
            role, methods, template = line.split()
            roles = templates.setdefault(template, {})
            roles.update(dict.fromkeys(methods.split(","), Role.named(role)))
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
_EXACT = {_t.rstrip("/") or "/": roles for _t, roles in _TEMPLATES.items() if "{" not in _t}
_PATTERNS = [(_pattern(_t), roles) for _t, roles in _TEMPLATES.items() if "{" in _t]


def plain(path: str) -> str:
    """One spelling for all that lead to the same route."""
    path = _SLASHES.sub("/", path).rstrip("/") or "/"
    return path.replace("/ajax-api/", "/api/", 1) if path.startswith("/ajax-api/") else path


def _matches(path: str) -> Iterator[_Roles]:
    """The roles of all templates that ``path`` (as `plain` has it) may be meant by."""
    if path in _EXACT:
        yield _EXACT[path]
    yield from (roles for pattern, roles in _PATTERNS if pattern.fullmatch(path))


def _listed_role(method: str, path: str) -> Role | None:
    found = list(_matches(path))
    if method == "OPTIONS" and found:
        # It tells which methods there are.
        return Role.READ
    asked = "GET" if method == "HEAD" else method
    # Where two templates match, MLflow takes one of them: the higher role covers both.
    return max((roles[asked] for roles in found if asked in roles), default=None)


def required_role(method: str, path: str, *, protect_registry: bool = False) -> Role:
    """The role for ``method`` on ``path`` (decoded, without the static prefix)."""
    path = plain(path)
    if protect_registry and path in _REGISTRY_DELETE and method == "DELETE":
        return Role.ADMIN
    return _listed_role(method, path) or Role.ADMIN


def is_known(method: str, path: str) -> bool:
    """Whether the table has this route with this method."""
    return _listed_role(method, plain(path)) is not None
