"""Container Instances: containers in one network namespace, each a resource principal."""

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from infra.rehearsal.host.host import Limits
from infra.rehearsal.oci.emulator import Emulator
from infra.rehearsal.oci.ids import DOMAINS, ocid
from infra.rehearsal.oci.network import verify_vnic
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.resource import Function
from infra.rehearsal.provider.values import Props, child, items
from infra.rehearsal.system import daemon

_SHAPES = ("CI.Standard.E3.Flex", "CI.Standard.E4.Flex", "CI.Standard.A1.Flex")
_PRINCIPAL = "/var/run/secrets/oci"
_RESTARTS = {"ALWAYS": "always", "NEVER": "no", "ON_FAILURE": "on-failure"}


class ContainerInstance(OciResource):
    token = "oci:ContainerEngine/containerInstance:ContainerInstance"
    kind = "computecontainerinstance"
    service = "Container Instances"
    is_single = True

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        if inputs["availabilityDomain"] not in DOMAINS:
            wrong = f"Invalid availabilityDomain {inputs['availabilityDomain']}"
            raise self.refusal("InvalidParameter", wrong)
        if inputs.get("containerRestartPolicy", "ALWAYS") not in _RESTARTS:
            raise self.refusal("InvalidParameter", "containerRestartPolicy is not valid.")
        for vnic in items(inputs, "vnics"):
            verify_vnic(self, vnic, is_public=bool(vnic.get("isPublicIpAssigned")))
        for problem in (*_sizes(inputs), *_volumes(inputs)):
            raise self.refusal("InvalidParameter", problem)

    def compute(self, id: str, inputs: Props) -> Props:
        containers = [
            {**entry, "containerId": ocid("computecontainer", f"{id}{entry['displayName']}")}
            for entry in items(inputs, "containers")
        ]
        vnics = [{**vnic, "vnicId": ocid("vnic", id)} for vnic in items(inputs, "vnics")]
        counted = {"containerCount": len(containers), "containers": containers, "vnics": vnics}
        return {**super().compute(id, inputs), **counted}

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        if self.emulator:
            # The instance is a principal from its first request on.
            self.store.put(id, self.token, props)
            try:
                props["vnics"][0]["privateIp"] = self._start(self.emulator, id, inputs)
            except Exception:
                self.store.delete(id)
                raise
        return id, props

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        return inputs or super().readable_inputs(props, inputs, known)

    def delete(self, id: str, known: Props) -> None:
        if self.emulator:
            group = _group(id)
            names = [f"{group}-{entry['displayName']}" for entry in items(known, "containers")]
            volumes = [f"{group}-volume-{entry['name']}" for entry in items(known, "volumes")]
            self.emulator.host.stop(*names)
            self.emulator.host.remove(*names, *volumes, f"{group}-principal", group)

    def _start(self, emulator: Emulator, id: str, inputs: Props) -> str:
        """Start the containers in the network namespace of a pause container."""
        host, group = emulator.host, _group(id)
        host.run(group, daemon.built_image("proxy"), ["sleep", "infinity"], aliases=_names(inputs))
        volumes = {
            entry["name"]: _volume(emulator, group, entry) for entry in items(inputs, "volumes")
        }
        principal = host.files(f"{group}-principal", {})
        login = emulator.principals.resource(principal, id, inputs["compartmentId"])
        for file in principal.iterdir():
            file.chmod(0o444)
        login = {k: v.replace(str(principal), _PRINCIPAL) for k, v in login.items()}
        for entry in items(inputs, "containers"):
            pull(emulator, entry["imageUrl"], id)
            is_principal = not entry.get("isResourcePrincipalDisabled")
            mounts = {
                m["mountPath"]: volumes[m["volumeName"]] for m in items(entry, "volumeMounts")
            }
            limits = child(entry, "resourceConfig")
            commands = cast("list[str]", entry.get("commands") or [])
            host.run(
                f"{group}-{entry['displayName']}",
                entry["imageUrl"],
                [*commands[1:], *cast("list[str]", entry.get("arguments") or [])],
                beside=group,
                entrypoint=commands[:1] or None,
                environment={
                    **cast("dict[str, str]", entry.get("environmentVariables") or {}),
                    **(login if is_principal else {}),
                },
                mounts={**mounts, **({_PRINCIPAL: principal} if is_principal else {})},
                limits=Limits(limits["vcpusLimit"], limits["memoryLimitInGbs"]) if limits else None,
                restart=_RESTARTS[inputs.get("containerRestartPolicy", "ALWAYS")],
            )
        return host.address(group) or ""


class GetVnic(Function):
    token = "oci:Core/getVnic:getVnic"

    def invoke(self, args: Props) -> Props:
        for record in self.cloud.store.find(ContainerInstance.token):
            for vnic in items(record.props, "vnics"):
                if vnic["vnicId"] == args["vnicId"]:
                    address = vnic.get("privateIp") or "10.0.0.20"
                    return {**vnic, "id": args["vnicId"], "privateIpAddress": address}
        code = "NotAuthorizedOrNotFound"
        raise CloudError(code, f"404-{code}, {args['vnicId']}", 404)


def pull(emulator: Emulator, image: str, instance: str) -> None:
    """Pull an image of the registry as an instance; refuse where no policy allows it."""
    server, _, rest = image.partition("/")
    if server != emulator.registry:
        return
    repository = rest.partition("/")[2].partition("@")[0].partition(":")[0]
    if not emulator.may_pull(instance, repository):
        message = f"A container image provided is not valid, or you may not read it: {image}"
        raise CloudError("InvalidParameter", f"400-InvalidParameter, {message}", 400)
    daemon.pull(image, "BEARER_TOKEN", emulator.registry_token(instance))


def _group(id: str) -> str:
    return f"instance-{id[-8:]}"


def _names(inputs: Props) -> list[str]:
    labels = (vnic.get("hostnameLabel") for vnic in items(inputs, "vnics"))
    return [str(label) for label in labels if label]


def _volume(emulator: Emulator, group: str, volume: Props) -> Path:
    contents = {
        entry["fileName"]: base64.b64decode(entry["data"]) for entry in items(volume, "configs")
    }
    folder = emulator.host.files(f"{group}-volume-{volume['name']}", contents)
    if volume["volumeType"] == "EMPTYDIR":
        folder.chmod(0o777)
    return folder


def _sizes(inputs: Props) -> Iterator[str]:
    shape = child(inputs, "shapeConfig")
    ocpus, memory = float(shape["ocpus"]), float(shape.get("memoryInGbs") or 0)
    if inputs["shape"] not in _SHAPES:
        yield f"Shape {inputs['shape']} is not valid."
    if not ocpus >= 1 or not 1 <= memory / ocpus <= 64:
        yield f"{memory:g} GB of memory for {ocpus:g} OCPUs is not from 1 to 64 for each."
    for entry in items(inputs, "containers"):
        limits = child(entry, "resourceConfig")
        if limits and float(limits.get("memoryLimitInGbs") or 0) > memory:
            yield f"The limit of {entry['displayName']} is more than the instance's memory."
        if limits and float(limits.get("vcpusLimit") or 0) > 2 * ocpus:
            yield f"The limit of {entry['displayName']} is more than the instance's CPUs."


def _volumes(inputs: Props) -> Iterator[str]:
    given = {volume["name"] for volume in items(inputs, "volumes")}
    for entry in items(inputs, "containers"):
        for mount in items(entry, "volumeMounts"):
            if mount["volumeName"] not in given:
                yield f"The volume '{mount['volumeName']}' is not defined."
    for volume in items(inputs, "volumes"):
        if not re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", volume["name"]):
            yield f"The volume name '{volume['name']}' is not valid."
        for entry in cast("list[dict[str, Any]]", items(volume, "configs")):
            try:
                base64.b64decode(entry["data"], validate=True)
            except binascii.Error:
                yield f"The file '{entry['fileName']}' of '{volume['name']}' is not base64."
