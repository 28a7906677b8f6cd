"""Whether the sizes of a stack are to be had in its region, by what Azure answered. Pure."""

from collections.abc import Iterator
from typing import Any, cast

from infra.operations.account import Check
from infra.operations.account.azure.arm import Body, at, each
from infra.operations.account.azure.checks import Answer, quota, said
from infra.operations.account.azure.needs import Quota
from infra.plan.azure import AzurePlan

_REGION = "trackstack:region: another one, or ask Azure's support for this one"


def machine(plan: AzurePlan, skus: Answer[Body], usages: Answer[Body]) -> Iterator[Check]:
    """https://learn.microsoft.com/rest/api/compute/resource-skus/list, and `usages` by family."""
    size = plan.settings.vm_size
    if isinstance(skus, Exception):
        yield Check("size of the machine", None, said(skus))
        return
    named = [one for one in each(skus, "value") if at(one, "name") == size]
    found = next((one for one in named if at(one, "resourceType") == "virtualMachines"), None)
    if found is None:
        yield Check("size of the machine", False, f"the region has no {size}", _REGION)
        return
    closed = [one for one in each(found, "restrictions") if at(one, "type") == "Location"]
    shown = f"{size} is not for this subscription" if closed else f"{size} is there"
    yield Check("size of the machine", not closed, shown, _REGION)
    has = {str(one["name"]): str(one["value"]) for one in each(found, "capabilities")}
    cores = float(has.get("vCPUs", plan.settings.cpus))
    for counted, what in (("cores", "the region"), (str(at(found, "family")), size)):
        of_it = Quota(f"CPUs of {what}", "", "", counted, cores)
        yield quota(of_it, usages)


def database(plan: AzurePlan, answer: Answer[Body]) -> Iterator[Check]:
    """What a region has of flexible servers, by its `capabilities`.

    https://learn.microsoft.com/rest/api/postgresql/capabilities-by-location
    https://learn.microsoft.com/rest/api/mysql/flexibleserver/location-based-capabilities
    """
    settings = plan.settings
    what = "size of the database"
    if isinstance(answer, Exception):
        yield Check(what, None, said(answer))
        return
    zones = each(answer, "value")
    if not zones or any(at(zone, "restricted") == "Enabled" for zone in zones):
        reason = f"{settings.region} takes no {settings.database} server of this subscription"
        yield Check(what, False, reason, _REGION)
        return
    sizes = {
        str(at(one, "name")).lower()
        for key in ("supportedServerSkus", "supportedSkus")
        for listed in _every(zones, key)
        for one in listed
    }
    size = settings.database_sku
    is_there = size.lower() in sizes
    shown = f"{size} {'is' if is_there else 'is not'} in the region"
    yield Check(what, is_there, shown, "trackstack:databaseSku: another one")
    if settings.high_availability:
        modes = [
            str(mode)
            for key in ("supportedHAMode", "supportedHaMode")
            for listed in _every(zones, key)
            for mode in listed
        ]
        has = "ZoneRedundant" in modes or any(
            at(zone, "zoneRedundantHaSupported") == "Enabled" for zone in zones
        )
        found = "in another zone" if has else "the region has none in another zone"
        cure = "trackstack:highAvailability: false, or another trackstack:region"
        yield Check("standby of the database", has, found, cure)


def _every(content: Any, key: str) -> Iterator[Any]:
    """All that stands under a name, wherever it is; a list each."""
    if isinstance(content, list):
        for one in cast("list[Any]", content):
            yield from _every(one, key)
    elif isinstance(content, dict):
        for name, value in cast("dict[str, Any]", content).items():
            if name == key:
                yield value or []
            else:
                yield from _every(value, key)
