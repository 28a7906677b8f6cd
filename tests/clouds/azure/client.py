"""Who deploys: the caller of the provider."""

from tests.clouds.azure.entra import DEPLOYER
from tests.clouds.azure.resource import SUBSCRIPTION, TENANT, guid
from tests.clouds.framework.resource import Function
from tests.clouds.framework.values import Props


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
        real = getattr(self.cloud, "real", None)
        return {"token": real.entra.token(DEPLOYER) if real else "a token"}
