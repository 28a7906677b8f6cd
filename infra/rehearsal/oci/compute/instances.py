"""Instances: virtual machines, each a principal by a certificate that its metadata shows it."""

import base64
import json
from typing import cast

from infra.rehearsal.host import machine
from infra.rehearsal.host.endpoint import Request, Response
from infra.rehearsal.host.host import Limits
from infra.rehearsal.oci.access.principals import new_key, pem
from infra.rehearsal.oci.emulator import Emulator
from infra.rehearsal.oci.ids import DOMAINS, REGION, ocid
from infra.rehearsal.oci.network import verify_vnic
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider.resource import Function
from infra.rehearsal.provider.values import Props, child

_SHAPES = ("VM.Standard.E4.Flex", "VM.Standard.E5.Flex", "VM.Standard.A1.Flex")
_MOST_BYTES = 32_000
_AUTH = "auth"
_REGION_INFO = {
    "realmDomainComponent": "oraclecloud.com",
    "realmKey": "oc1",
    "regionIdentifier": REGION,
    "regionKey": "FRA",
}
_BEARER = "Bearer Oracle"
SYSTEMS = {("Canonical Ubuntu", "24.04"), ("Oracle Linux", "9")}


class Instance(OciResource):
    token = "oci:Core/instance:Instance"
    kind = "instance"
    service = "Compute"
    is_single = True

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        if inputs["availabilityDomain"] not in DOMAINS:
            wrong = f"Invalid availabilityDomain {inputs['availabilityDomain']}"
            raise self.refusal("InvalidParameter", wrong)
        verify_size(self, inputs)
        vnic = child(inputs, "createVnicDetails")
        verify_vnic(self, vnic, is_public=vnic.get("assignPublicIp") == "true")
        verify_metadata(self, inputs)

    def compute(self, id: str, inputs: Props) -> Props:
        known = self.store.get(id)
        address = known.props["privateIp"] if known else "10.0.0.21"
        return {**super().compute(id, inputs), "state": "RUNNING", "privateIp": address}

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        if self.emulator:
            # It asks from its first boot on.
            self.store.put(id, self.token, props)
            try:
                props["privateIp"] = start(self.emulator, id, inputs)
            except Exception:
                self.store.delete(id)
                raise
        return id, props

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        return inputs or super().readable_inputs(props, inputs, known)

    def delete(self, id: str, known: Props) -> None:
        if self.emulator:
            end(self.emulator, id)


def verify_size(owner: OciResource, inputs: Props) -> None:
    """Refuse a shape that there is not, or not in this size."""
    if inputs["shape"] not in _SHAPES:
        raise owner.refusal("InvalidParameter", f"Shape {inputs['shape']} is not valid.")
    size = child(inputs, "shapeConfig")
    ocpus, memory = float(size["ocpus"]), float(size.get("memoryInGbs") or 0)
    if not ocpus >= 1 or not 1 <= memory / ocpus <= 64:
        wrong = f"{memory:g} GB of memory for {ocpus:g} OCPUs is not from 1 to 64 for each."
        raise owner.refusal("InvalidParameter", wrong)


def verify_metadata(owner: OciResource, inputs: Props) -> None:
    """Refuse more metadata than an instance can have."""
    metadata = cast("dict[str, str]", inputs.get("metadata") or {})
    if sum(len(key) + len(value) for key, value in metadata.items()) > _MOST_BYTES:
        message = f"The metadata is more than {_MOST_BYTES} bytes."
        raise owner.refusal("InvalidParameter", message)


def start(emulator: Emulator, id: str, inputs: Props) -> str:
    """Boot an instance that the store knows; returns its private address."""
    size, label = child(inputs, "shapeConfig"), child(inputs, "createVnicDetails")
    metadata = cast("dict[str, str]", inputs["metadata"])
    emulator.publish(_AUTH)
    name, aliases = machine_name(id), tuple(filter(None, [label.get("hostnameLabel")]))
    address = machine.plug(emulator.host, name, aliases)
    machine.start(
        emulator.host,
        name,
        base64.b64decode(metadata["user_data"]),
        Limits(2 * float(size["ocpus"]), float(size["memoryInGbs"])),
        metadata=Metadata(emulator, id).answer,
    )
    return address


def end(emulator: Emulator, id: str) -> None:
    """Switch an instance off and remove it."""
    machine.end(emulator.host, machine_name(id))
    machine.unplug(emulator.host, machine_name(id))
    if not [other for other in emulator.cloud.store.find(Instance.token) if other.id != id]:
        emulator.host.remove(_AUTH)


def machine_name(id: str) -> str:
    """What the host calls an instance."""
    return f"instance-{id[-8:]}"


def images(shape: str) -> set[str]:
    """The images that fit a shape: each is for one architecture."""
    return {_image(system, shape) for system in SYSTEMS}


def _image(system: tuple[object, object], shape: str) -> str:
    architecture = "aarch64" if ".A1." in shape else "x86_64"
    return ocid("image", " ".join(map(str, (*system, architecture))))


class GetImages(Function):
    token = "oci:Core/getImages:getImages"

    def invoke(self, args: Props) -> Props:
        system = (args.get("operatingSystem"), args.get("operatingSystemVersion"))
        shape = str(args.get("shape"))
        images = [{"id": _image(system, shape)}] if system in SYSTEMS else []
        return {
            "id": args["compartmentId"],
            "compartmentId": args["compartmentId"],
            "images": images,
        }


class Metadata:
    """The metadata service of one instance.

    https://docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm
    """

    def __init__(self, emulator: Emulator, id: str) -> None:
        self._emulator, self._id, self._key = emulator, id, new_key()

    def answer(self, request: Request) -> Response:
        record = self._emulator.cloud.store.get(self._id)
        if record is None or request.headers.get("authorization") != _BEARER:
            return Response(404 if record is None else 401)
        metadata = cast("dict[str, str]", record.props.get("metadata") or {})
        known = {
            "instance/region": REGION,
            "instance/canonicalRegionName": REGION,
            "instance/regionInfo": json.dumps(_REGION_INFO),
            "identity/cert.pem": self._emulator.federation.certificate(self._id, self._key),
            "identity/key.pem": pem(self._key).decode(),
            "identity/intermediate.pem": self._emulator.host.authority.certificate,
            **{f"instance/metadata/{key}": value for key, value in metadata.items()},
        }
        found = known.get(request.rest.removeprefix("/opc/v2/"))
        return Response(404) if found is None else Response(200, found.encode())
