"""Who deploys: the caller of the provider."""

from infra.rehearsal.azure.entra import DEPLOYER
from infra.rehearsal.azure.resource import SUBSCRIPTION, TENANT, guid
from infra.rehearsal.provider.resource import Function
from infra.rehearsal.provider.values import Props


class GetClientConfig(Function):
    token = "azure-native:authorization:getClientConfig"

    def invoke(self, args: Props) -> Props:
        return {
            "clientId": guid(f"{DEPLOYER}#client"),
            "objectId": guid(f"{DEPLOYER}#object"),
            "subscriptionId": SUBSCRIPTION,
            "tenantId": TENANT,
        }


class GetClientToken(Function):
    token = "azure-native:authorization:getClientToken"

    def invoke(self, args: Props) -> Props:
        emulator = getattr(self.cloud, "emulator", None)
        return {"token": emulator.entra.token(DEPLOYER) if emulator else "a token"}
