"""Whether a subscription is ready for a stack, by what Azure answered. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from infra.operations.account import Check
from infra.operations.account.azure.arm import ArmError, Body, OtherLoginError, at, each
from infra.operations.account.azure.needs import (
    ASSIGN,
    Name,
    Quota,
    actions,
    namespaces,
    rights,
)
from infra.plan.azure import AzurePlan

_Value = TypeVar("_Value")
# What was asked for, or why there was no answer.
Answer = _Value | Exception
_MORE = "ask for more: Quotas in Azure's portal, or take another region"


def said(error: Exception) -> str:
    """Azure's own words, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def login(plan: AzurePlan, error: ArmError) -> Check:
    """A login that there is not."""
    if isinstance(error, OtherLoginError):
        return Check("login", None, said(error))
    cure = f"az login, and az account set --subscription {plan.settings.subscription_id}"
    return Check("login", False, said(error), cure)


def subscription(plan: AzurePlan, answer: Answer[Body]) -> Check:
    """https://learn.microsoft.com/rest/api/resources/subscriptions/get"""
    cure = "trackstack:subscriptionId: one that `az account list` shows as Enabled"
    if isinstance(answer, Exception):
        return Check("subscription", False, said(answer), cure)
    state = str(answer.get("state"))
    shown = f"{answer.get('displayName')}, {state.lower()}"
    return Check("subscription", state == "Enabled", shown, cure)


def _is_like(pattern: str, action: str) -> bool:
    """Whether a role's action, in which a * stands for anything, says another."""
    like = re.escape(pattern).replace(r"\*", ".*")
    return re.fullmatch(like, action, re.IGNORECASE) is not None


def allowed(permissions: Sequence[Any], action: str) -> bool | None:
    """Whether any of the roles has an action; None where it has it under a condition alone.

    Of one that is taken out of a role, another role may still have it:
    https://learn.microsoft.com/azure/role-based-access-control/role-definitions
    """
    found = [
        role
        for role in permissions
        if any(_is_like(one, action) for one in each(role, "actions"))
        and not any(_is_like(one, action) for one in each(role, "notActions"))
    ]
    if not found:
        return False
    return True if any(not at(role, "condition") for role in found) else None


def may(plan: AzurePlan, answer: Answer[Body]) -> Iterator[Check]:
    """https://learn.microsoft.com/rest/api/authorization/permissions"""
    cure = "have its owner run:" + "".join(f"\n{'':12}{command}" for command in rights(plan))
    if isinstance(answer, Exception):
        yield Check("rights", None, said(answer))
        return
    held = {action: allowed(each(answer, "value"), action) for action in actions(plan)}
    assigns = held.pop(ASSIGN)
    told = {True: "yes", False: "no", None: "only such as a condition allows"}[assigns]
    yield Check("may assign roles", assigns, told, cure)
    if missing := [action.removesuffix("/write") for action, has in held.items() if has is False]:
        yield Check("may make resources", False, f"but none of {', '.join(missing)}", cure)
    else:
        yield Check("may make resources", True, "yes")


def registered(plan: AzurePlan, answer: Answer[Body], rights: Answer[Body]) -> Check:
    """https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types

    The provider registers what is missing, where the login may.
    """
    if isinstance(answer, Exception):
        return Check("resource providers", None, said(answer))
    states = {
        str(one["namespace"]).lower(): str(one["registrationState"])
        for one in each(answer, "value")
    }
    missing = [n for n in namespaces(plan) if states.get(n.lower()) != "Registered"]
    if not missing:
        return Check("resource providers", True, "registered")
    held = [] if isinstance(rights, Exception) else each(rights, "value")
    may_not = [n for n in missing if not allowed(held, f"{n}/register/action")]
    if may_not:
        cure = "; ".join(f"az provider register --namespace {n}" for n in may_not)
        return Check("resource providers", False, f"not registered: {', '.join(may_not)}", cure)
    shown = f"`up` registers {', '.join(missing)}, which takes minutes"
    return Check("resource providers", True, shown)


def quota(quota: Quota, answer: Answer[Body]) -> Check:
    """The `usages` of a resource provider in a region."""
    if isinstance(answer, Exception):
        return Check(quota.what, None, said(answer))
    for one in each(answer, "value"):
        if str(at(one, "name", "value")).lower() == quota.counted.lower():
            # Container Apps call it `usage`.
            used = at(one, "usage") if at(one, "currentValue") is None else one["currentValue"]
            left = float(one["limit"]) - float(used or 0)
            found = f"{left:g} left, {quota.needed:g} needed"
            return Check(quota.what, left >= quota.needed, found, _MORE)
    return Check(quota.what, None, "Azure tells of no such limit")


def free(name: Name, answer: Answer[Body], *, is_own: bool) -> Check:
    """What `checkNameAvailability` says of a name.

    https://learn.microsoft.com/rest/api/storagerp/storage-accounts/check-name-availability
    """
    what = f"name of the {name.what}"
    if isinstance(answer, Exception):
        return Check(what, None, said(answer))
    if answer.get("nameAvailable"):
        return Check(what, True, f"{name.name} is free")
    if is_own:
        return Check(what, True, f"{name.name} is there, in the stack's resource group")
    reason = str(answer.get("message") or answer.get("reason")).strip().splitlines()[0]
    return Check(what, False, f"{name.name}: {reason}", "trackstack:name: another one")


def label(plan: AzurePlan, answer: Answer[Body], *, is_own: bool) -> Check:
    """https://learn.microsoft.com/rest/api/virtualnetwork/check-dns-name-availability"""
    if isinstance(answer, Exception):
        return Check("DNS label", None, said(answer))
    name = plan.names.dns_label
    if answer.get("available"):
        return Check("DNS label", True, f"{name} is free")
    found = f"{name} is the stack's" if is_own else f"{name} is taken in the region"
    return Check("DNS label", is_own, found, "trackstack:name: another one")
