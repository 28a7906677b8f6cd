"""Repositories of the container registry."""

from infra.rehearsal.host import registry
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider import checks
from infra.rehearsal.provider.values import Props

_NAME = "registry"


class ContainerRepository(OciResource):
    token = "oci:Artifacts/containerRepository:ContainerRepository"
    kind = "containerrepo"
    service = "Artifacts"
    name_input = "displayName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        name = inputs["displayName"]
        wrong = f"Invalid repository name {name}: lower-case letters, digits, '-', '_', '.', '/'."
        named = r"[a-z0-9]+([._/-][a-z0-9]+)*"
        checks.named(name, named, 1, 255, self.refusal("InvalidParameter", wrong))
        for other in self.store.find(self.token, displayName=name):
            if other.id != self.call.id:
                taken = f"Repository with name {name} already exists in the tenancy."
                raise self.refusal("NAMESPACE_CONFLICT", taken, 409)

    def create(self, inputs: Props) -> tuple[str, Props]:
        made = super().create(inputs)
        if self.emulator:
            login = "/20180419/docker/token"
            address = self.emulator.registry
            registry.serve(self.emulator.host, _NAME, address, login=login, may="/registry")
        return made

    def delete(self, id: str, known: Props) -> None:
        if self.emulator:
            registry.end(self.emulator.host, _NAME, self.emulator.registry)
