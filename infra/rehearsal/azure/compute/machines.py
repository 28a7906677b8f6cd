"""Virtual machines with their interfaces, and what collects their logs."""

import base64
import json
import re
from collections.abc import Mapping
from typing import ClassVar, cast

from infra.rehearsal.azure.emulator import Emulator
from infra.rehearsal.azure.identity import UserAssignedIdentity
from infra.rehearsal.azure.network import PublicIPAddress, Subnet
from infra.rehearsal.azure.observability import Workspace
from infra.rehearsal.azure.resource import AzureResource, refusal
from infra.rehearsal.host import machine
from infra.rehearsal.host.endpoint import Request, Response
from infra.rehearsal.host.host import Limits
from infra.rehearsal.provider.values import Props, child, items

# name -> CPUs and GiB
_SIZES = {
    "Standard_B2ls_v2": (2, 4),
    "Standard_B2s_v2": (2, 8),
    "Standard_D4s_v5": (4, 16),
    "Standard_D8s_v5": (8, 32),
    "Standard_D16s_v5": (16, 64),
    "Standard_D32s_v5": (32, 128),
}
_MOST_BYTES = 64 * 1024
_KEY = re.compile(r"(ssh-rsa|ssh-ed25519) [A-Za-z0-9+/]+=*( \S+)?")
_RESERVED_NAMES = ("admin", "administrator", "root", "user")


class NetworkInterface(AzureResource):
    token = "azure-native:network:NetworkInterface"
    kind = "Microsoft.Network/networkInterfaces"
    name_input = "networkInterfaceName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        for entry in items(inputs, "ipConfigurations"):
            subnet = child(entry, "subnet").get("id")
            props = self.referred({**inputs, "location": ""}, subnet, Subnet)
            if items(props, "delegations"):
                message = f"The subnet {subnet} is delegated to a service and takes no interface."
                raise refusal("SubnetIsDelegated", message)
            if public := child(entry, "publicIPAddress").get("id"):
                self.referred(inputs, public, PublicIPAddress)

    def compute(self, id: str, inputs: Props) -> Props:
        known = self.store.get(id)
        if known:
            address = items(known.props, "ipConfigurations")[0]["privateIPAddress"]
        elif self.emulator:
            address = machine.plug(self.emulator.host, machine_name(inputs))
        else:
            address = "10.80.0.4"
        shown = [
            {**entry, "privateIPAddress": address} for entry in items(inputs, "ipConfigurations")
        ]
        return {**super().compute(id, inputs), "ipConfigurations": shown}

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        return inputs or super().readable_inputs(props, inputs, known)

    def delete(self, id: str, known: Props) -> None:
        if self.emulator:
            machine.unplug(self.emulator.host, machine_name(known))


def machine_name(interface: Props) -> str:
    """What the host calls the machine at an interface."""
    return f"machine-{interface['networkInterfaceName']}"


class VirtualMachine(AzureResource):
    token = "azure-native:compute:VirtualMachine"
    kind = "Microsoft.Compute/virtualMachines"
    name_input = "vmName"

    # https://github.com/Azure/azure-sdk-for-java/issues/1976
    refused: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (
            *("osProfile.adminUsername", "osProfile.computerName", "osProfile.customData"),
            *("osProfile.linuxConfiguration", "storageProfile.imageReference"),
        ),
        "PropertyChangeNotAllowed",
    )

    # The SDK knows the sizes of some years ago.
    newer = frozenset({"hardwareProfile.vmSize"})

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        name = inputs["vmName"]
        if not re.fullmatch("[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?", name):
            message = f"The name '{name}' has 1 to 64 letters, digits and hyphens."
            raise refusal("InvalidParameter", message)
        size = child(inputs, "hardwareProfile").get("vmSize")
        if size not in _SIZES:
            message = f"The value {size} provided for the VM size is not valid."
            raise refusal("InvalidParameter", message)
        self._verify_system(child(inputs, "osProfile"))
        self._interface(inputs)
        for identity in _identities(inputs):
            self.referred({**inputs, "location": ""}, identity, UserAssignedIdentity)
        for what, text in (
            ("userData", inputs.get("userData")),
            ("customData", child(inputs, "osProfile").get("customData")),
        ):
            if len(base64.b64decode(text or "", validate=True)) > _MOST_BYTES:
                message = f"{what} exceeds the maximum of 64 KB."
                raise refusal("InvalidParameter", message)

    def _verify_system(self, system: Props) -> None:
        if system.get("adminUsername") in _RESERVED_NAMES:
            message = "The Admin Username specified is not allowed."
            raise refusal("InvalidParameter", message)
        linux = child(system, "linuxConfiguration")
        keys = items(child(linux, "ssh"), "publicKeys")
        if linux.get("disablePasswordAuthentication") and not keys:
            message = "Authentication using either SSH or by user name and password must be enabled"
            raise refusal("InvalidParameter", message)
        for key in keys:
            if not _KEY.fullmatch(str(key.get("keyData"))):
                message = "The value of parameter linuxConfiguration.ssh.publicKeys is invalid."
                raise refusal("InvalidParameter", message)

    def _interface(self, inputs: Props) -> Props:
        [interface] = items(child(inputs, "networkProfile"), "networkInterfaces")
        props = self.referred(inputs, interface.get("id"), NetworkInterface)
        for other in self.store.find(self.token):
            [used] = items(child(other.props, "networkProfile"), "networkInterfaces")
            same = other.id.lower() == self.identify(inputs).lower()
            if used.get("id") == interface.get("id") and not same:
                message = f"The interface {used.get('id')} is that of another machine."
                raise refusal("NicInUse", message)
        return props

    def compute(self, id: str, inputs: Props) -> Props:
        return {**super().compute(id, inputs), "provisioningState": "Succeeded"}

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        if self.emulator:
            # It asks from its first boot on.
            self.store.put(id, self.token, props)
            cpus, memory = _SIZES[child(inputs, "hardwareProfile")["vmSize"]]
            machine.start(
                self.emulator.host,
                machine_name(self._interface(inputs)),
                base64.b64decode(child(inputs, "osProfile")["customData"]),
                Limits(cpus, memory),
                metadata=Metadata(self.emulator, id).answer,
            )
        return id, props

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        return inputs or super().readable_inputs(props, inputs, known)

    def delete(self, id: str, known: Props) -> None:
        if self.emulator:
            machine.end(self.emulator.host, machine_name(self._interface(known)))


def _identities(inputs: Props) -> list[str]:
    return cast("list[str]", child(inputs, "identity").get("userAssignedIdentities") or [])


class Metadata:
    """The metadata service of one machine.

    https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
    """

    def __init__(self, emulator: Emulator, id: str) -> None:
        self._emulator, self._id = emulator, id

    def answer(self, request: Request) -> Response:
        record = self._emulator.entra.cloud.store.get(self._id)
        if record is None or request.headers.get("metadata") != "true":
            return Response(404 if record is None else 400)
        if request.rest == "/metadata/instance/compute/userData":
            return Response(200, str(record.props.get("userData") or "").encode())
        if request.rest == "/metadata/identity/oauth2/token":
            return self._emulator.entra.managed(record, request.query)
        return Response(404, json.dumps({"error": "Not found"}).encode())


class VirtualMachineExtension(AzureResource):
    token = "azure-native:compute:VirtualMachineExtension"
    kind = "Microsoft.Compute/virtualMachines/extensions"
    name_input = "vmExtensionName"
    parents = ("vmName",)


class DataCollectionRule(AzureResource):
    token = "azure-native:monitor:DataCollectionRule"
    kind = "Microsoft.Insights/dataCollectionRules"
    name_input = "dataCollectionRuleName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        ends = items(child(inputs, "destinations"), "logAnalytics")
        for end in ends:
            self.referred(inputs, end.get("workspaceResourceId"), Workspace)
        named = {end.get("name") for end in ends}
        for flow in items(inputs, "dataFlows"):
            for name in cast("list[str]", flow.get("destinations") or []):
                if name not in named:
                    message = f"The data flow's destination '{name}' is not defined."
                    raise refusal("InvalidPayload", message)


class DataCollectionRuleAssociation(AzureResource):
    token = "azure-native:monitor:DataCollectionRuleAssociation"
    kind = "Microsoft.Insights/dataCollectionRuleAssociations"
    name_input = "associationName"

    @classmethod
    def replace_paths(cls) -> frozenset[str]:
        return frozenset({"associationName", "resourceUri"})

    def identify(self, inputs: Props) -> str:
        return f"{inputs['resourceUri']}/providers/{self.kind}/{inputs['associationName']}"

    def verify(self, inputs: Props) -> None:
        here = {**inputs, "location": ""}
        self.referred(here, inputs["resourceUri"], VirtualMachine)
        self.referred(here, inputs.get("dataCollectionRuleId"), DataCollectionRule)
