"""Whether a subscription is ready for a stack, by what Azure answered. Pure."""

from typing import TypeVar

from infra.operations.account import Check
from infra.operations.account.azure.arm import ArmError, Body, OtherLoginError, at, each
from infra.operations.account.azure.needs import Name, Quota
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


def is_absent(answer: Answer[Body]) -> bool:
    """Whether Azure says that there is no such thing, and not that it tells nobody."""
    return isinstance(answer, ArmError) and answer.status == 404


def group(plan: AzurePlan, answer: Answer[Body]) -> Check:
    """https://learn.microsoft.com/rest/api/resources/resource-groups/get"""
    settings, what = plan.settings, "resource group"
    name = str(settings.resource_group)
    if not isinstance(answer, Exception):
        return Check(what, True, f"{name} is there")
    cure = (
        f"az group create --name {name} --location {settings.region} --subscription "
        f"{settings.subscription_id}; or without trackstack:resourceGroup the stack makes its own"
    )
    return Check(what, False if is_absent(answer) else None, said(answer), cure)


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
