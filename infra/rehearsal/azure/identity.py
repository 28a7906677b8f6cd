"""Managed identities, and what they may do where."""

import re
from typing import ClassVar

from infra.rehearsal.azure.resource import SUBSCRIPTION, TENANT, AzureResource, guid, refusal
from infra.rehearsal.provider.values import Props

_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# The same in every tenant: learn.microsoft.com/azure/role-based-access-control/built-in-roles
ROLES = {
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
}


class UserAssignedIdentity(AzureResource):
    token = "azure-native:managedidentity:UserAssignedIdentity"
    kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
    name_input = "resourceName"

    def compute(self, id: str, inputs: Props) -> Props:
        ids = {"principalId": guid(f"{id}#principal"), "clientId": guid(f"{id}#client")}
        return {**super().compute(id, inputs), **ids, "tenantId": TENANT}


class RoleAssignment(AzureResource):
    token = "azure-native:authorization:RoleAssignment"
    kind = "Microsoft.Authorization/roleAssignments"
    name_input = "roleAssignmentName"
    autoname_separator: ClassVar[str | None] = None

    @classmethod
    def replace_paths(cls) -> frozenset[str]:
        return frozenset({"scope", "roleDefinitionId", "principalId", "roleAssignmentName"})

    def defaults(self, inputs: Props) -> Props:
        return {} if "roleAssignmentName" in inputs else {"roleAssignmentName": guid(self.call.urn)}

    def identify(self, inputs: Props) -> str:
        return f"{inputs['scope']}/providers/{self.kind}/{inputs['roleAssignmentName']}"

    def verify(self, inputs: Props) -> None:
        name, scope, role = (
            inputs[key] for key in ("roleAssignmentName", "scope", "roleDefinitionId")
        )
        if not re.fullmatch(_GUID, name):
            raise refusal(
                "InvalidRoleAssignmentId",
                f"The role assignment ID '{name}' is not valid. The role assignment ID must be a"
                " GUID.",
            )
        if scope != f"/subscriptions/{SUBSCRIPTION}" and not self.store.get(scope):
            raise refusal("ResourceNotFound", f"The Resource '{scope}' was not found.", 404)
        definition = role.rsplit("/", 1)[-1]
        if definition not in ROLES:
            raise refusal(
                "RoleDefinitionDoesNotExist",
                f"The specified role definition with ID '{definition}' does not exist.",
                404,
            )
        principal = inputs["principalId"]
        if not self.store.find(UserAssignedIdentity.token, principalId=principal):
            raise refusal(
                "PrincipalNotFound",
                f"Principal {principal} does not exist in the directory {TENANT}.",
            )
        same = {"scope": scope, "roleDefinitionId": role, "principalId": principal}
        others = self.store.find(self.token, **same)
        if any(other.id.lower() != self.identify(inputs).lower() for other in others):
            raise refusal("RoleAssignmentExists", "The role assignment already exists.", 409)
