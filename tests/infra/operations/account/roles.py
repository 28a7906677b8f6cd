"""Roles that a login has, as Azure Resource Manager answers of them.

Permissions have no conditions, and count at a scope and below; those stand in role assignments:
github.com/Azure/azure-rest-api-specs, Microsoft.Authorization/stable/2022-04-01.
"""

from collections.abc import Mapping
from typing import Any

# Of whom `az` is the login.
OBJECT = "5d2f7a10-94b7-4a35-9f0f-6e1c2b3a4d5e"
_AT = "/providers/Microsoft.Authorization"
PERMISSIONS, ASSIGNMENTS, DEFINITIONS = (
    f"{_AT}/{kind}" for kind in ("permissions", "roleAssignments", "roleDefinitions")
)
ADMINISTRATOR = "Role Based Access Control Administrator"
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
_BUILT_IN: dict[str, tuple[str, list[str], list[str]]] = {
    "Owner": ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", ["*"], []),
    "Contributor": (
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        ["*"],
        [
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
        ],
    ),
    ADMINISTRATOR: (
        "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        [
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignments/delete",
            "*/read",
            "Microsoft.Support/*",
        ],
        [],
    ),
    "Reader": ("acdd72a7-3385-48ef-bd42-f606fba81ae7", ["*/read"], []),
    "Network Contributor": (
        "4d97b98b-1d4f-4787-a291-c67834d212e7",
        ["Microsoft.Network/*", "Microsoft.Resources/deployments/*"],
        [],
    ),
    "Private DNS Zone Contributor": (
        "b12aa53e-6015-4669-85d0-8515ebb3ae7f",
        ["Microsoft.Network/privateDnsZones/*", "Microsoft.Network/virtualNetworks/join/action"],
        [],
    ),
}


def permissions(*names: str) -> dict[str, Any]:
    """authorization/permissions/list-for-resource-group"""
    keys = ("actions", "notActions")
    return {"value": [dict(zip(keys, _BUILT_IN[name][1:], strict=True)) for name in names]}


def held(scope: str, *names: str, conditions: Mapping[str, str] | None = None) -> dict[str, Any]:
    """All that is answered of roles at a scope, of which some have conditions.

    authorization/role-assignments/list-for-scope, authorization/role-definitions/get-by-id
    """
    assigned, definitions = list[dict[str, Any]](), dict[str, Any]()
    for name in names:
        id = f"{scope}{DEFINITIONS}/{_BUILT_IN[name][0]}"
        given = {"roleDefinitionId": id, "principalId": OBJECT, "scope": scope}
        condition = (conditions or {}).get(name)
        version = "2.0" if condition else None
        about = {**given, "condition": condition, "conditionVersion": version}
        assigned.append({"properties": about})
        about = {"roleName": name, "permissions": permissions(name)["value"]}
        definitions[id] = {"id": id, "properties": about}
    return {
        f"{scope}{PERMISSIONS}": permissions(*names),
        f"{scope}{ASSIGNMENTS}": {"value": assigned},
        **definitions,
    }


def answered(table: Mapping[str, tuple[int, Any]], path: str, query: str) -> tuple[int, Any] | None:
    """Permissions and assignments at a scope, with those above it; None for what else is asked.

    Without a filter all assignments are told, those of others too:
    https://learn.microsoft.com/azure/role-based-access-control/role-assignments-list-rest
    """
    for kind in (PERMISSIONS, ASSIGNMENTS):
        if not path.endswith(kind):
            continue
        if table.get(path, (200, None))[0] != 200:
            return table[path]
        scope = path.removesuffix(kind)
        found = [
            one
            for at, (status, body) in table.items()
            if status == 200
            and at.endswith(kind)
            and f"{scope}/".lower().startswith(f"{at[: -len(kind)]}/".lower())
            for one in body["value"]
        ]
        if kind == ASSIGNMENTS and query != f"atScope() and assignedTo('{OBJECT}')":
            id = f"{scope}{DEFINITIONS}/{_BUILT_IN['Owner'][0]}"
            found.append({"properties": {"roleDefinitionId": id, "principalId": "of another"}})
        return 200, {"value": found}
    return None
