"""Container Instances: groups of containers in one network namespace."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from infra.rehearsal.azure.emulator import Emulator
from infra.rehearsal.azure.identity import UserAssignedIdentity
from infra.rehearsal.azure.ids import place
from infra.rehearsal.azure.network import Subnet
from infra.rehearsal.azure.observability import Workspace, shared_key
from infra.rehearsal.azure.registry import Registry
from infra.rehearsal.azure.resource import AzureResource, refusal
from infra.rehearsal.host.host import Limits
from infra.rehearsal.provider import checks
from infra.rehearsal.provider.store import Store
from infra.rehearsal.provider.values import Props, child, items
from infra.rehearsal.system import daemon

_DELEGATED = "Microsoft.ContainerInstance/containerGroups"
# https://learn.microsoft.com/azure/container-instances/container-instances-resource-and-quota-limits
_MOST_CPUS, _MOST_MEMORY = 31, 240
_SECOND = 10**9


class ContainerGroup(AzureResource):
    token = "azure-native:containerinstance:ContainerGroup"
    kind = "Microsoft.ContainerInstance/containerGroups"
    name_input = "containerGroupName"

    # https://learn.microsoft.com/azure/container-instances/container-instances-update
    refused: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (
            *("containers.resources", "ipAddress.ports", "ipAddress.type"),
            *("osType", "restartPolicy", "subnetIds"),
        ),
        "InvalidContainerGroupUpdate",
    )

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        name = inputs["containerGroupName"]
        wrong = (
            f"The container group name '{name}' is invalid: 1 to 63 lower-case letters, digits"
            " and hyphens, no hyphen at an end."
        )
        named = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
        checks.named(name, named, 1, 63, refusal("InvalidContainerGroupName", wrong))
        for problem in (*_sizes(inputs), *_ports(inputs), *_volumes(inputs)):
            raise problem
        self._verify_network(inputs)
        self._verify_logs(inputs)
        for identity in _identities(inputs):
            self.referred({**inputs, "location": ""}, identity, UserAssignedIdentity)

    def _verify_network(self, inputs: Props) -> None:
        address = child(inputs, "ipAddress")
        label, subnets = address.get("dnsNameLabel"), items(inputs, "subnetIds")
        if subnets and (label or address.get("type") == "Public"):
            message = "A public address or DNS label cannot be used with a virtual network."
            raise refusal("DnsNameLabelNotSupportedInVnet", message)
        for subnet in subnets:
            props = self.referred(inputs, subnet.get("id"), Subnet)
            delegated = [entry.get("serviceName") for entry in items(props, "delegations")]
            if _DELEGATED not in delegated:
                message = f"The subnet {subnet.get('id')} is not delegated to {_DELEGATED}."
                raise refusal("SubnetDelegationMissing", message)
        for other in self.store.find(self.token):
            same = child(other.props, "ipAddress").get("dnsNameLabel") == label
            if label and same and other.id.lower() != self.identify(inputs).lower():
                message = f"The DNS name label '{label}' is not available."
                raise refusal("DnsNameLabelNotAvailable", message, 409)

    def _verify_logs(self, inputs: Props) -> None:
        logs = child(child(inputs, "diagnostics"), "logAnalytics")
        if not logs:
            return
        found = self.store.find(Workspace.token, customerId=logs.get("workspaceId"))
        if not found or shared_key(found[0].id) != logs.get("workspaceKey"):
            message = "The Log Analytics workspace id or key is not valid."
            raise refusal("InvalidLogAnalyticsWorkspace", message)

    def compute(self, id: str, inputs: Props) -> Props:
        ready = {"provisioningState": "Succeeded"}
        address = dict(child(inputs, "ipAddress"))
        if label := address.get("dnsNameLabel"):
            address["fqdn"] = f"{label}.{place(inputs['location'])}.azurecontainer.io"
        return {**super().compute(id, inputs), **ready, "ipAddress": address}

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        if self.emulator:
            props["ipAddress"]["ip"] = self._start(self.emulator, id, inputs, props["ipAddress"])
        return id, props

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        """All containers of a group start again where anything but its tags changes."""
        props = super().update(id, inputs, known)
        if self.emulator:
            self.delete(id, known)
            props["ipAddress"]["ip"] = self._start(self.emulator, id, inputs, props["ipAddress"])
        return props

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        return inputs or super().readable_inputs(props, inputs, known)

    def delete(self, id: str, known: Props) -> None:
        if self.emulator:
            group = known["containerGroupName"]
            names = [f"{group}-{entry['name']}" for entry in items(known, "containers")]
            volumes = [f"{group}-volume-{entry['name']}" for entry in items(known, "volumes")]
            self.emulator.host.remove(*names, *volumes, group)

    def _start(self, emulator: Emulator, id: str, inputs: Props, address: Props) -> str:
        """Start the group's containers in the network namespace of a pause container."""
        host, group = emulator.host, inputs["containerGroupName"]
        image = daemon.built_image("proxy")
        aliases = [address["fqdn"]] if address.get("fqdn") else []
        host.run(group, image, ["sleep", "infinity"], aliases=aliases)
        volumes = {
            entry["name"]: _volume(emulator, group, entry) for entry in items(inputs, "volumes")
        }
        identity = emulator.entra.environment(id)
        for entry in items(inputs, "containers"):
            server = entry["image"].split("/")[0]
            for login in items(inputs, "imageRegistryCredentials"):
                if login["server"] == server:
                    pull(self.store, emulator, entry["image"], login["identity"], group)
            limits = child(child(entry, "resources"), "limits")
            given = {
                v["name"]: str(v.get("value") or v.get("secureValue") or "")
                for v in items(entry, "environmentVariables")
            }
            command = cast("list[str]", entry.get("command") or [])
            host.run(
                f"{group}-{entry['name']}",
                entry["image"],
                command[1:],
                beside=group,
                entrypoint=command[:1] or None,
                environment={**given, **identity},
                mounts={m["mountPath"]: volumes[m["name"]] for m in items(entry, "volumeMounts")},
                limits=Limits(limits["cpu"], limits["memoryInGB"]) if limits else None,
                healthcheck=_healthcheck(entry),
            )
        return host.address(group) or ""


def pull(store: Store, emulator: Emulator, image: str, identity: str, what: str) -> None:
    """Pull an image as an identity; refuse where it may not."""
    server = image.split("/")[0]
    principal = emulator.entra.principal_of(identity) or ""
    registry = store.find(Registry.token, loginServer=server)
    if not registry or not emulator.entra.may(principal, "AcrPull", registry[0].id):
        raise refusal(
            "InaccessibleImage",
            f"The image '{image}' in container group '{what}' is not accessible. Please check the"
            " image and registry credential.",
        )
    daemon.pull(image, "identity", emulator.entra.token(principal))


def _volume(emulator: Emulator, group: str, volume: Props) -> Path:
    name = f"{group}-volume-{volume['name']}"
    secret = cast("dict[str, str]", volume.get("secret") or {})
    contents = {file: base64.b64decode(content) for file, content in secret.items()}
    folder = emulator.host.files(name, contents)
    if "emptyDir" in volume:
        folder.chmod(0o777)
    return folder


def _healthcheck(container: Props) -> dict[str, Any] | None:
    probe = child(container, "livenessProbe")
    command = cast("list[str]", child(probe, "exec").get("command") or [])
    if not command:
        return None
    return {
        "test": ["CMD", *command],
        "interval": int(probe.get("periodSeconds") or 10) * _SECOND,
        "timeout": int(probe.get("timeoutSeconds") or 1) * _SECOND,
        "retries": int(probe.get("failureThreshold") or 3),
        "start_period": int(probe.get("initialDelaySeconds") or 0) * _SECOND,
    }


def _identities(inputs: Props) -> list[str]:
    return cast("list[str]", child(inputs, "identity").get("userAssignedIdentities") or [])


def _sizes(inputs: Props) -> Iterator[Exception]:
    asked = [child(child(e, "resources"), "requests") for e in items(inputs, "containers")]
    cpus = sum(float(request.get("cpu") or 0) for request in asked)
    memory = sum(float(request.get("memoryInGB") or 0) for request in asked)
    if round(cpus, 2) > _MOST_CPUS or round(memory, 2) > _MOST_MEMORY:
        yield refusal(
            "ServiceUnavailable",
            f"The requested resource is not available in the location: {cpus:g} CPUs and"
            f" {memory:g} GB; at most {_MOST_CPUS} and {_MOST_MEMORY}.",
            409,
        )
    for entry in items(inputs, "containers"):
        resources = child(entry, "resources")
        for kind in ("requests", "limits"):
            size = child(resources, kind).get("memoryInGB")
            if size is not None and (float(size) <= 0 or not (float(size) * 10).is_integer()):
                message = f"Memory {size} GB of container {entry['name']} is no multiple of 0.1."
                yield refusal("InvalidMemory", message)
            if kind == "limits" and size is not None:
                request = child(resources, "requests").get("memoryInGB")
                if float(size) < float(request or 0):
                    yield refusal("InvalidLimits", f"{entry['name']}: the limit is below.")
    names = [entry.get("name") for entry in items(inputs, "containers")]
    if len(set(names)) != len(names):
        yield refusal("DuplicateContainerName", "Two containers have one name.")


def _ports(inputs: Props) -> Iterator[Exception]:
    opened = {p["port"] for e in items(inputs, "containers") for p in items(e, "ports")}
    for port in items(child(inputs, "ipAddress"), "ports"):
        if port["port"] not in opened:
            message = f"Port {port['port']} of the group is that of no container."
            yield refusal("InvalidPort", message)


def _volumes(inputs: Props) -> Iterator[Exception]:
    given = {volume["name"] for volume in items(inputs, "volumes")}
    for entry in items(inputs, "containers"):
        for mount in items(entry, "volumeMounts"):
            if mount["name"] not in given:
                yield refusal("VolumeNotFound", f"The volume '{mount['name']}' is not defined.")
    for volume in items(inputs, "volumes"):
        if not re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", volume["name"]):
            yield refusal("InvalidVolumeName", f"The name '{volume['name']}' is not valid.")
        for file, content in cast("dict[str, str]", volume.get("secret") or {}).items():
            try:
                base64.b64decode(content, validate=True)
            except binascii.Error:
                message = f"The secret '{file}' of volume '{volume['name']}' is not base64."
                yield refusal("InvalidSecretVolume", message)
