"""Container registries, emulated by a real one that checks who pushes and who pulls."""

from infra.rehearsal.azure.resource import AzureResource, refusal
from infra.rehearsal.host import registry
from infra.rehearsal.host.host import Host
from infra.rehearsal.provider import checks
from infra.rehearsal.provider.values import Props, child

_SKUS = ("Basic", "Standard", "Premium")


class Registry(AzureResource):
    token = "azure-native:containerregistry:Registry"
    kind = "Microsoft.ContainerRegistry/registries"
    name_input = "registryName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        name = inputs["registryName"]
        wrong = (
            f"Registry name {name} is not valid. Registry names may contain alpha numeric"
            " characters only and must be between 5 and 50 characters."
        )
        checks.named(name, "[a-zA-Z0-9]*", 5, 50, refusal("RegistryNameNotValid", wrong))
        for other in self.store.find(self.token, registryName=name):
            if other.id.lower() != self.identify(inputs).lower():
                taken = f"The registry DNS name {name.lower()}.azurecr.io is already in use."
                raise refusal("AlreadyInUse", taken, 409)
        sku = child(inputs, "sku").get("name")
        if sku not in _SKUS:
            raise refusal("InvalidSku", f"The SKU {sku} is not valid; use {', '.join(_SKUS)}.")
        if inputs.get("publicNetworkAccess") == "Disabled" and sku != "Premium":
            message = "Private endpoints and network rules need the SKU Premium."
            raise refusal("NetworkRuleNotSupported", message)

    def compute(self, id: str, inputs: Props) -> Props:
        server = f"{inputs['registryName'].lower()}.azurecr.io"
        if self.emulator:
            server = self._serve(self.emulator.host, id, inputs["registryName"].lower())
        return {**super().compute(id, inputs), "loginServer": server}

    def delete(self, id: str, known: Props) -> None:
        if self.emulator:
            name = known["registryName"].lower()
            registry.end(self.emulator.host, f"registry-{name}", known["loginServer"])

    def _serve(self, host: Host, id: str, name: str) -> str:
        known = self.store.get(id)
        if known:
            return known.props["loginServer"]
        address = registry.new_address()
        registry.serve(
            host, f"registry-{name}", address, login="/oauth2/exchange", may=f"/registry{id}"
        )
        return address
