"""What all of OCI's resources share: OCIDs, compartments, references."""

import functools
import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from infra.rehearsal.oci.emulator import Emulator
from infra.rehearsal.oci.ids import TENANCY, ocid
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.resource import Resource
from infra.rehearsal.provider.values import Props, lookup


@functools.cache
def _replacing() -> Mapping[str, list[str]]:
    file = Path(__file__).with_name("replacing.json")
    return cast("Mapping[str, list[str]]", json.loads(file.read_text()))


def _is_inexact(value: Any) -> bool:
    """Whether a number in it is another in single precision."""
    if isinstance(value, Mapping):
        return any(map(_is_inexact, cast("Mapping[str, Any]", value).values()))
    if isinstance(value, list):
        return any(map(_is_inexact, cast("list[Any]", value)))
    if not isinstance(value, float):
        return False
    return struct.unpack("f", struct.pack("f", value))[0] != value


class OciResource(Resource):
    """A resource in a compartment. ``kind`` is the second part of its OCID."""

    kind: ClassVar[str]
    service: ClassVar[str]
    # Whether the provider keeps its fractions in single precision.
    is_single: ClassVar[bool] = False
    # Of emulator.HOSTS, the service that is called while there is one of these.
    endpoint: ClassVar[str] = ""

    @property
    def emulator(self) -> Emulator | None:
        """What runs it on this machine; None where it is only checked."""
        return getattr(self.cloud, "emulator", None)

    @classmethod
    def replace_paths(cls) -> frozenset[str]:
        """What the provider says of itself: ForceNew in its schemas, and its own CustomizeDiff.

        https://github.com/oracle/terraform-provider-oci, 8.28.0
        """
        return frozenset(_replacing().get(cls.token, ()))

    def same(self, name: str, old: Any, new: Any) -> bool:
        """The provider compares with what it keeps: what is inexact there differs each time."""
        return super().same(name, old, new) and not (self.is_single and _is_inexact(new))

    def replacing(self, changed: Iterable[str], olds: Props, news: Props) -> set[str]:
        changed = set(changed)
        found = super().replacing(changed, olds, news)
        if not self.is_single:
            return found
        inexact = {path for path in self.replace_paths() if _is_inexact(lookup(news, path))}
        return found | {path for path in inexact if path.split(".")[0] in changed}

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
            with self.emulator.changing:
                self.emulator.publish(self.endpoint)
        made = super().create(inputs)
        if self.emulator:
            # A bucket that is made again has the id that it had.
            self.emulator.leaving.discard(made[0])
        return made

    def delete(self, id: str, known: Props) -> None:
        if not self.emulator or not self.endpoint:
            return
        with self.emulator.changing:
            # Several may go at once, each of which the others still see.
            self.emulator.leaving.add(id)
            left = {record.id for record in self.store.find(self.token)} - self.emulator.leaving
            if not left:
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
