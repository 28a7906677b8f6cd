"""What all of OCI's resources share: OCIDs, compartments, references."""

from typing import Any, ClassVar

from infra.rehearsal.oci.emulator import Emulator
from infra.rehearsal.oci.ids import TENANCY, ocid
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.resource import Resource
from infra.rehearsal.provider.values import Props


class OciResource(Resource):
    """A resource in a compartment. ``kind`` is the second part of its OCID."""

    kind: ClassVar[str]
    service: ClassVar[str]
    # Inputs that change another resource's place and so make a new one.
    fixed: ClassVar[frozenset[str]] = frozenset()
    # Of emulator.HOSTS, the service that is called while there is one of these.
    endpoint: ClassVar[str] = ""

    @property
    def emulator(self) -> Emulator | None:
        """What runs it on this machine; None where it is only checked."""
        return getattr(self.cloud, "emulator", None)

    @classmethod
    def replace_paths(cls) -> frozenset[str]:
        return cls.fixed

    def identify(self, inputs: Props) -> str:
        return ocid(self.kind, super().identify(inputs))

    def verify(self, inputs: Props) -> None:
        compartment = inputs.get("compartmentId", TENANCY)
        if compartment != TENANCY and not self.find(
            compartment, "oci:Identity/compartment:Compartment"
        ):
            raise self.not_found()

    def create(self, inputs: Props) -> tuple[str, Props]:
        if self.emulator and self.endpoint:
            self.emulator.publish(self.endpoint)
        return super().create(inputs)

    def delete(self, id: str, known: Props) -> None:
        others = [record for record in self.store.find(self.token) if record.id != id]
        if self.emulator and self.endpoint and not others:
            self.emulator.host.remove(self.endpoint)

    def compute(self, id: str, inputs: Props) -> Props:
        return {"state": "ACTIVE", "timeCreated": "2026-01-01T00:00:00Z"}

    def referred(self, id: Any, kind: "type[OciResource]") -> Props:
        """The resource that an input refers to, of the right kind."""
        record = self.find(id, kind.token)
        if record is None:
            raise self.not_found()
        return record.props

    def not_found(self) -> CloudError:
        """OCI does not say whether a thing is missing or only forbidden."""
        message = "Authorization failed or requested resource not found."
        return self.refusal("NotAuthorizedOrNotFound", message, 404)

    def refusal(self, code: str, message: str, status: int = 400) -> CloudError:
        return CloudError(code, f"{status}-{code}, {message}\nService: {self.service}", status)
