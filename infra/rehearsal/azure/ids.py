"""Ids, regions, roles and types that several modules of Azure's rehearsal share."""

import hashlib
import math
from datetime import datetime

from infra.rehearsal.provider.store import Record, Store

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
TENANT = "00000000-0000-4000-8000-000000000002"
# `az account list-locations`, the regions of everybody.
_REGIONS = """
    australiacentral australiacentral2 australiaeast australiasoutheast austriaeast belgiumcentral
    brazilsouth brazilsoutheast canadacentral canadaeast centralindia centralus chilecentral
    denmarkeast eastasia eastus eastus2 francecentral francesouth germanynorth germanywestcentral
    indonesiacentral israelcentral italynorth japaneast japanwest jioindiacentral jioindiawest
    koreacentral koreasouth malaysiawest mexicocentral newzealandnorth northcentralus northeurope
    norwayeast norwaywest polandcentral qatarcentral southafricanorth southafricawest southcentralus
    southeastasia southindia spaincentral swedencentral swedensouth switzerlandnorth
    switzerlandwest uaecentral uaenorth uksouth ukwest westcentralus westeurope westindia westus
    westus2 westus3
"""
LOCATIONS = tuple(_REGIONS.split())
# Types of resources that decide who may do what.
USER_ASSIGNED_IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
ROLE_ASSIGNMENT = "azure-native:authorization:RoleAssignment"
# The same in every tenant: learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES = {
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "db58b8e5-c6ad-4a2a-8342-4190687cbf4a": "Storage Blob Delegator",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
}


def guid(seed: str) -> str:
    """An id that Azure would draw at random, here from a seed that is as unique."""
    digest = hashlib.sha256(seed.lower().encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


def group_id(name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"


def place(location: str) -> str:
    """Locations are the same with spaces and capitals: West Europe is westeurope."""
    return location.replace(" ", "").lower()


# The object in the directory that deploys.
DEPLOYER_ID = guid("deployer#object")


def has_role(
    store: Store, principal: str, role: str, scope: str, known_by: float = math.inf
) -> bool:
    """Whether a principal has a role on a resource, by an assignment there or above that was made
    by then (Unix time).
    """
    return any(
        record.props["principalId"] == principal
        and ROLES.get(record.props["roleDefinitionId"].rsplit("/", 1)[-1]) == role
        and _made(record) <= known_by
        and f"{scope}/".lower().startswith(f"{record.props['scope']}/".lower())
        for record in store.find(ROLE_ASSIGNMENT)
    )


def _made(assignment: Record) -> float:
    """When a role was assigned, in Unix time."""
    made = str(assignment.props.get("createdOn", "1970-01-01T00:00:00+00:00"))
    return datetime.fromisoformat(made).timestamp()
