"""Whether a login may do what `up` does, by what Azure answered of its roles; and the commands
that give it the rest. Pure.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.clouds.azure import ROLES
from infra.operations.account import Check
from infra.operations.account.azure.arm import Body, at, each
from infra.operations.account.azure.checks import Answer, said
from infra.operations.account.azure.needs import Use, actions, beforehand, namespaces, uses
from infra.plan.azure import AzurePlan

_ASSIGN = "Microsoft.Authorization/roleAssignments/write"
# Who may assign any role may make itself Owner. Azure's own template for such a delegate:
# https://learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples
_IDS = "IDS"
_CONDITION = " AND ".join(
    f"((!(ActionMatches{{'Microsoft.Authorization/roleAssignments/{action}'}})) OR "
    f"(@{source}[Microsoft.Authorization/roleAssignments:RoleDefinitionId] "
    f"ForAnyOfAnyValues:GuidEquals {{{_IDS}}}))"
    for action, source in (("write", "Request"), ("delete", "Resource"))
)


def _plain(condition: str) -> str:
    return "".join(condition.split()).lower()


_FORM = re.compile(re.escape(_plain(_CONDITION)).replace(_IDS.lower(), "([0-9a-f,-]+)"))


@dataclass(frozen=True)
class Held:
    """What Azure answered of a login: ``permissions`` where the stack is made, the roles behind
    them, which are ``assigned``, and their ``definitions`` by id.
    """

    login: str | None
    permissions: Answer[Body]
    assigned: Answer[Body]
    definitions: Mapping[str, Answer[Body]]


def commands(plan: AzurePlan, login: str | None) -> tuple[str, ...]:
    """They give a login all that `make up` and `make down` do."""
    settings = plan.settings
    scope = f"/subscriptions/{settings.subscription_id}"
    if settings.resource_group:
        scope += f"/resourceGroups/{settings.resource_group}"
    condition = _CONDITION.replace(_IDS, ", ".join(sorted(ROLES.values())))
    only = ("--condition", condition, "--condition-version", "2.0")
    return (
        _assign(login, "Contributor", scope),
        _assign(login, "Role Based Access Control Administrator", scope, *only),
        *(
            _assign(login, use.role, use.id)
            for use in uses(plan)
            if not use.id.lower().startswith(f"{scope}/".lower())
        ),
    )


def _assign(login: str | None, role: str, scope: str, *more: str) -> str:
    who = ("--assignee", login or "LOGIN", "--role", role, "--scope", scope)
    return shlex.join(["az", "role", "assignment", "create", *who, *more])


def _cure(command: str) -> str:
    return f"have its owner run: {command}"


def _is_like(pattern: str, action: str) -> bool:
    """Whether a role's action, in which a * stands for anything, says another."""
    like = re.escape(pattern).replace(r"\*", ".*")
    return re.fullmatch(like, action, re.IGNORECASE) is not None


def allowed(permissions: Sequence[Any], action: str) -> bool:
    """Whether any of the roles has an action.

    Of one that is taken out of a role, another role may still have it:
    https://learn.microsoft.com/azure/role-based-access-control/role-definitions
    """
    return any(
        any(_is_like(one, action) for one in each(role, "actions"))
        and not any(_is_like(one, action) for one in each(role, "notActions"))
        for role in permissions
    )


def may(plan: AzurePlan, held: Held) -> Iterator[Check]:
    """https://learn.microsoft.com/rest/api/authorization/permissions"""
    if isinstance(held.permissions, Exception):
        yield Check("rights", None, said(held.permissions))
        return
    make, assign, *_ = map(_cure, commands(plan, held.login))
    permissions = each(held.permissions, "value")
    if allowed(permissions, _ASSIGN):
        yield _under_conditions(_conditions(held), assign)
    else:
        yield Check("may assign roles", False, "no", assign)
    missing = [action for action in actions(plan) if not allowed(permissions, action)]
    if missing:
        kinds = ", ".join(action.removesuffix("/write") for action in missing)
        yield Check("may make resources", False, f"but none of {kinds}", make)
    else:
        yield Check("may make resources", True, "yes")


def _conditions(held: Held) -> list[str]:
    """Those under which roles are assigned, of each role that the login has for that; empty for
    one without.

    https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope
    """
    assigned = [] if isinstance(held.assigned, Exception) else each(held.assigned, "value")
    found = list[str]()
    for one in assigned:
        definition = held.definitions.get(str(at(one, "properties", "roleDefinitionId")))
        if not isinstance(definition, Exception) and allowed(
            each(definition, "properties", "permissions"), _ASSIGN
        ):
            found.append(str(at(one, "properties", "condition") or ""))
    return found


def _under_conditions(conditions: Sequence[str], cure: str) -> Check:
    what = "may assign roles"
    if not all(conditions) or not conditions:
        return Check(what, True, "yes")
    forms = [_FORM.fullmatch(_plain(condition)) for condition in conditions]
    ids = {id for form in forms if form for id in set(form[1].split(",")) & set(form[2].split(","))}
    missing = [role for role, id in ROLES.items() if id not in ids]
    if not missing:
        return Check(what, True, "yes, those of the stack")
    if not all(forms):
        return Check(what, None, "only such as a condition allows")
    return Check(what, False, f"but not {', '.join(missing)}", cure)


def may_use(use: Use, answer: Answer[Body], login: str | None) -> Check:
    """https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource"""
    what = f"may use the {use.what}"
    if isinstance(answer, Exception):
        return Check(what, None, said(answer))
    held = each(answer, "value")
    missing = [action for action in use.actions if not allowed(held, action)]
    if not missing:
        return Check(what, True, "yes")
    return Check(what, False, f"no {', '.join(missing)}", _cure(_assign(login, use.role, use.id)))


def registered(plan: AzurePlan, answer: Answer[Body], whole: Answer[Body]) -> Check:
    """https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types

    The provider registers what is missing, where the login may in the ``whole`` subscription.
    """
    what = "resource providers"
    if isinstance(answer, Exception):
        return Check(what, None, said(answer))
    states = {
        str(one["namespace"]).lower(): str(one["registrationState"])
        for one in each(answer, "value")
    }
    missing = [n for n in namespaces(plan) if states.get(n.lower()) != "Registered"]
    if not missing:
        return Check(what, True, "registered")
    held = [] if isinstance(whole, Exception) else each(whole, "value")
    by_hand = [
        n for n in missing if n in beforehand(plan) or not allowed(held, f"{n}/register/action")
    ]
    if by_hand:
        there = f"--subscription {plan.settings.subscription_id}"
        cure = "; ".join(f"az provider register --wait {there} --namespace {n}" for n in by_hand)
        return Check(what, False, f"not registered: {', '.join(by_hand)}", cure)
    return Check(what, True, f"`up` registers {', '.join(missing)}, which takes minutes")
