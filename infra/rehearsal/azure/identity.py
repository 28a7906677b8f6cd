"""Managed identities, what they may do where, and the identity that deploys."""

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import ClassVar

from infra.rehearsal.azure.entra import DEPLOYER
from infra.rehearsal.azure.ids import (
    DEPLOYER_ID,
    ROLE_ASSIGNMENT,
    ROLES,
    SUBSCRIPTION,
    TENANT,
    USER_ASSIGNED_IDENTITY,
    guid,
)
from infra.rehearsal.azure.resource import AzureResource, refusal
from infra.rehearsal.provider.resource import Function
from infra.rehearsal.provider.values import Props

_GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


class UserAssignedIdentity(AzureResource):
    token = USER_ASSIGNED_IDENTITY
    kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
    name_input = "resourceName"

    def compute(self, id: str, inputs: Props) -> Props:
        ids = {"principalId": guid(f"{id}#principal"), "clientId": guid(f"{id}#client")}
        return {**super().compute(id, inputs), **ids, "tenantId": TENANT}


class RoleAssignment(AzureResource):
    token = ROLE_ASSIGNMENT
    kind = "Microsoft.Authorization/roleAssignments"
    name_input = "roleAssignmentName"

    refused: ClassVar[Mapping[str, str]] = {"roleDefinitionId": "RoleAssignmentUpdateNotPermitted"}

    @classmethod
    def replace_paths(cls) -> frozenset[str]:
        return frozenset({"scope", "principalId", "roleAssignmentName"})

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        return id, {**props, "createdOn": datetime.now(timezone.utc).isoformat()}

    def made_up_name(self, digest: str) -> str:
        return guid(digest)

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
        identities = self.store.find(UserAssignedIdentity.token, principalId=principal)
        if not identities and principal != DEPLOYER_ID:
            raise refusal(
                "PrincipalNotFound",
                f"Principal {principal} does not exist in the directory {TENANT}.",
            )
        same = {"scope": scope, "roleDefinitionId": role, "principalId": principal}
        others = self.store.find(self.token, **same)
        if any(other.id.lower() != self.identify(inputs).lower() for other in others):
            raise refusal("RoleAssignmentExists", "The role assignment already exists.", 409)


class GetClientConfig(Function):
    token = "azure-native:authorization:getClientConfig"

    def invoke(self, args: Props) -> Props:
        return {
            "clientId": guid(f"{DEPLOYER}#client"),
            "objectId": DEPLOYER_ID,
            "subscriptionId": SUBSCRIPTION,
            "tenantId": TENANT,
        }


class GetClientToken(Function):
    token = "azure-native:authorization:getClientToken"

    def invoke(self, args: Props) -> Props:
        emulator = getattr(self.cloud, "emulator", None)
        return {"token": emulator.entra.token(DEPLOYER) if emulator else "a token"}
