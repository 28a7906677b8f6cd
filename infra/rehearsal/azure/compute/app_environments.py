"""Environments of Container Apps, and what apps and jobs in them share."""

import hashlib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from infra.rehearsal.azure.compute.containers import pull
from infra.rehearsal.azure.data.storage import Secret
from infra.rehearsal.azure.emulator import Emulator
from infra.rehearsal.azure.identity import UserAssignedIdentity
from infra.rehearsal.azure.ids import place
from infra.rehearsal.azure.network import Subnet
from infra.rehearsal.azure.observability import Workspace, shared_key
from infra.rehearsal.azure.privatedns import PrivateEndpoint
from infra.rehearsal.azure.resource import AzureResource, refusal
from infra.rehearsal.host.host import Limits
from infra.rehearsal.provider import checks
from infra.rehearsal.provider.values import Props, child, items

_DELEGATED = "Microsoft.App/environments"


class ManagedEnvironment(AzureResource):
    token = "azure-native:app:ManagedEnvironment"
    kind = "Microsoft.App/managedEnvironments"
    name_input = "environmentName"

    created_with = frozenset({"zoneRedundant"})
    refused: ClassVar[Mapping[str, str]] = {
        "vnetConfiguration": "ManagedEnvironmentVnetCannotBeChanged"
    }
    in_use = "ManagedEnvironmentCannotBeDeleted"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        subnet = child(inputs, "vnetConfiguration").get("infrastructureSubnetId")
        if subnet:
            props = self.referred(inputs, subnet, Subnet)
            delegated = [entry.get("serviceName") for entry in items(props, "delegations")]
            if _DELEGATED not in delegated:
                message = f"The subnet must be delegated to {_DELEGATED}."
                raise refusal("ManagedEnvironmentSubnetDelegationError", message)
            if ipaddress.ip_network(props["addressPrefix"]).prefixlen > 27:
                message = "The subnet must have a size of at least /27."
                raise refusal("ManagedEnvironmentInvalidNetworkConfiguration", message)
            self._verify_alone(subnet, self.identify(inputs))
        elif inputs.get("zoneRedundant"):
            message = "Zone redundancy needs a virtual network."
            raise refusal("ZoneRedundancyNotSupported", message)
        logs = child(child(inputs, "appLogsConfiguration"), "logAnalyticsConfiguration")
        found = self.store.find(Workspace.token, customerId=logs.get("customerId"))
        if logs and (not found or shared_key(found[0].id) != logs.get("sharedKey")):
            message = "The Log Analytics customer id or shared key is not valid."
            raise refusal("InvalidLogAnalyticsConfiguration", message)

    def _verify_alone(self, subnet: str, id: str) -> None:
        """https://github.com/microsoft/azure-container-apps/issues/974"""
        for other in self.store.find(self.token):
            used = child(other.props, "vnetConfiguration").get("infrastructureSubnetId")
            if used == subnet and other.id.lower() != id.lower():
                message = f"The subnet {subnet} is already mapped with another environment."
                raise refusal("ManagedEnvironmentSubnetInUse", message)

    def compute(self, id: str, inputs: Props) -> Props:
        letters = hashlib.sha256(id.encode()).hexdigest()[:8]
        domain = f"rehearsed-{letters}.{place(inputs['location'])}.azurecontainerapps.io"
        return {**super().compute(id, inputs), "defaultDomain": domain, "staticIp": "20.1.2.3"}


class OfEnvironment(AzureResource):
    """An app or a job in an environment."""

    created_with = frozenset({"environmentId", "managedEnvironmentId"})

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        environment = inputs.get("environmentId") or inputs.get("managedEnvironmentId")
        self.referred(inputs, environment, ManagedEnvironment)
        name = inputs[self.name_input]
        wrong = (
            f"Invalid name '{name}': lower-case letters, digits and single hyphens, at most 32"
            " characters, a letter first."
        )
        named = "[a-z](-?[a-z0-9])*"
        checks.named(name, named, 2, 32, refusal("ContainerAppInvalidName", wrong))
        for identity in _identities(inputs):
            self.referred({**inputs, "location": ""}, identity, UserAssignedIdentity)
        for problem in (*_sizes(inputs), *_probes(inputs), *_references(inputs)):
            raise problem
        for secret in items(child(inputs, "configuration"), "secrets"):
            _ = self.value_of(secret, inputs)

    def value_of(self, secret: Props, inputs: Props) -> str:
        """A secret's value, read from the vault by the identity that it names."""
        url = secret.get("keyVaultUrl")
        if not url:
            return str(secret.get("value"))
        found = [
            record
            for record in self.store.find(Secret.token)
            if str(url).startswith(child(record.props, "properties")["secretUri"])
        ]
        identity = str(secret.get("identity"))
        emulator = self.emulator
        principal = emulator.entra.principal_of(identity) if emulator else ""
        role = "Key Vault Secrets User"
        refused = emulator and not (
            found and emulator.entra.may(principal or "", role, found[0].id)
        )
        refused = refused or (found and not self._reaches(found[0].id.rsplit("/", 2)[0]))
        if not found or refused or identity not in _identities(inputs):
            message = (
                f"Unable to get value using Managed identity {identity} for secret"
                f" {secret['name']}: Forbidden"
            )
            raise refusal("ContainerAppSecretKeyVaultUrlInvalid", message)
        return str(child(found[0].props, "properties")["value"])

    def _reaches(self, vault: str) -> bool:
        """Container Apps are no trusted service of a vault, whatever it lets pass besides.

        https://github.com/microsoft/azure-container-apps/issues/1287
        """
        record = self.store.get(vault)
        properties = child(record.props, "properties") if record else {}
        return properties.get("publicNetworkAccess") != "Disabled" or any(
            connection.get("privateLinkServiceId") == vault
            for endpoint in self.store.find(PrivateEndpoint.token)
            for connection in items(endpoint.props, "privateLinkServiceConnections")
        )

    def run(self, emulator: Emulator, name: str, inputs: Props, restart: str = "always") -> None:
        """Start one replica's container."""
        entry = items(child(inputs, "template"), "containers")[0]
        registries = items(child(inputs, "configuration"), "registries")
        server = entry["image"].split("/")[0]
        for registry in registries:
            if registry["server"] == server:
                pull(self.store, emulator, entry["image"], registry["identity"], name)
        resources = child(entry, "resources")
        given = {v["name"]: str(v.get("value") or "") for v in items(entry, "env")}
        emulator.host.run(
            name,
            entry["image"],
            cast("list[str]", entry.get("args") or []),
            restart=restart,
            entrypoint=cast("list[str] | None", entry.get("command")),
            environment={**given, **emulator.entra.environment(self.identify(inputs))},
            mounts=self._mounts(emulator, name, entry, inputs),
            limits=Limits(resources["cpu"], float(str(resources["memory"]).removesuffix("Gi"))),
        )

    def _mounts(
        self, emulator: Emulator, name: str, entry: Props, inputs: Props
    ) -> dict[str, Path]:
        secrets = {s["name"]: s for s in items(child(inputs, "configuration"), "secrets")}
        volumes = {v["name"]: v for v in items(child(inputs, "template"), "volumes")}
        mounts: dict[str, Path] = {}
        for mount in items(entry, "volumeMounts"):
            volume = volumes[mount["volumeName"]]
            contents = {
                item["path"]: self.value_of(secrets[item["secretRef"]], inputs).encode()
                for item in items(volume, "secrets")
            }
            folder = emulator.host.files(f"{name}/{volume['name']}", contents)
            if volume["storageType"] == "EmptyDir":
                folder.chmod(0o777)
            mounts[mount["mountPath"]] = folder
        return mounts


def _identities(inputs: Props) -> list[str]:
    return list(cast("Any", child(inputs, "identity").get("userAssignedIdentities")) or [])


def _sizes(inputs: Props) -> Iterator[Exception]:
    for entry in items(child(inputs, "template"), "containers"):
        resources = child(entry, "resources")
        cpus, memory = float(resources.get("cpu") or 0), str(resources.get("memory") or "")
        fit = re.fullmatch(r"\d+(\.\d+)?Gi", memory) and float(memory[:-2]) == 2 * cpus
        if not fit or cpus > 4 or cpus * 4 % 1:
            yield refusal(
                "ContainerAppInvalidResourceTotal",
                f"The total requested CPU and memory resources ({cpus:g} and {memory}) must be one"
                " of: 0.25 and 0.5Gi, 0.5 and 1Gi, ... 4 and 8Gi.",
            )


# https://learn.microsoft.com/azure/container-apps/health-probes, and what its API answers.
_MOST_FAILURES = {"Liveness": 30, "Readiness": 48, "Startup": 240}


def _probes(inputs: Props) -> Iterator[Exception]:
    for entry in items(child(inputs, "template"), "containers"):
        for probe in items(entry, "probes"):
            kind, most = probe["type"], _MOST_FAILURES[probe["type"]]
            if int(probe.get("failureThreshold") or 3) > most:
                message = f"Probe {kind} failureThreshold must be in the range of [1, {most}]."
                yield refusal("ContainerAppProbeFailureThresholdOutOfRange", message)


def _references(inputs: Props) -> Iterator[Exception]:
    secrets = [s["name"] for s in items(child(inputs, "configuration"), "secrets")]
    for name in secrets:
        if not re.fullmatch("[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name):
            yield refusal("ContainerAppInvalidSecretName", f"Invalid secret name '{name}'.")
    volumes = {v["name"]: v for v in items(child(inputs, "template"), "volumes")}
    for volume in volumes.values():
        if volume.get("storageType") == "EmptyDir" and items(volume, "secrets"):
            yield refusal("ContainerAppVolumeInvalid", f"Volume {volume['name']} is of two kinds.")
        for item in items(volume, "secrets"):
            if item["secretRef"] not in secrets:
                message = f"The secret '{item['secretRef']}' of a volume is not defined."
                yield refusal("ContainerAppSecretRefNotFound", message)
    for entry in items(child(inputs, "template"), "containers"):
        for mount in items(entry, "volumeMounts"):
            if mount["volumeName"] not in volumes:
                message = f"The volume '{mount['volumeName']}' is not defined."
                yield refusal("ContainerAppVolumeNotFound", message)
