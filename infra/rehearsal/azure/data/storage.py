"""Storage accounts with their containers, key vaults with their secrets."""

from collections.abc import Mapping
from typing import ClassVar

from infra.rehearsal.azure.data import blob
from infra.rehearsal.azure.ids import DEPLOYER_ID, guid, has_role
from infra.rehearsal.azure.resource import AzureResource, refusal
from infra.rehearsal.provider import checks
from infra.rehearsal.provider.values import Props, child


class StorageAccount(AzureResource):
    token = "azure-native:storage:StorageAccount"
    kind = "Microsoft.Storage/storageAccounts"
    name_input = "accountName"
    # Between copies in one zone and in three there is no plain change:
    # https://learn.microsoft.com/azure/storage/common/redundancy-migration
    refused: ClassVar[Mapping[str, str]] = {"sku.name": "StorageAccountTypeConversionNotAllowed"}

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        name = inputs["accountName"]
        wrong = (
            f"{name} is not a valid storage account name. Storage account name must be between 3"
            " and 24 characters in length and use numbers and lower-case letters only."
        )
        checks.named(name, "[a-z0-9]*", 3, 24, refusal("AccountNameInvalid", wrong))
        for other in self.store.find(self.token, accountName=name):
            if other.id.lower() != self.identify(inputs).lower():
                taken = f"The storage account named {name} is already taken."
                raise refusal("StorageAccountAlreadyTaken", taken, 409)

    def compute(self, id: str, inputs: Props) -> Props:
        name = inputs["accountName"]
        services = ("blob", "dfs", "file", "queue", "table", "web")
        ends = {kind: f"https://{name}.{kind}.core.windows.net/" for kind in services}
        ready = {"provisioningState": "Succeeded", "primaryEndpoints": ends}
        return {**super().compute(id, inputs), **ready}

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        if self.emulator:
            blob.start(self.emulator, id, inputs["accountName"])
        return id, props

    def delete(self, id: str, known: Props) -> None:
        if self.emulator:
            blob.stop(self.emulator, known["accountName"])


def is_public(account: Props) -> bool:
    """Whether callers outside of its networks reach an account."""
    rules = child(account, "networkRuleSet")
    return (
        account.get("publicNetworkAccess", "Enabled") == "Enabled"
        and rules.get("defaultAction", "Allow") == "Allow"
    )


class BlobContainer(AzureResource):
    token = "azure-native:storage:BlobContainer"
    kind = "Microsoft.Storage/storageAccounts/blobServices/containers"
    name_input = "containerName"
    parents = ("accountName",)

    def identify(self, inputs: Props) -> str:
        return f"{self.parent_id(inputs)}/blobServices/default/containers/{inputs['containerName']}"

    def parent_id(self, inputs: Props) -> str:
        holder = StorageAccount(self.call)
        return holder.identify({**inputs, "accountName": inputs["accountName"]})

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        name = inputs["containerName"]
        length = "The specified resource name length is not within the permissible limits."
        checks.named(name, ".*", 3, 63, refusal("OutOfRangeInput", length))
        wrong = refusal(
            "InvalidResourceName", "The specified resource name contains invalid characters."
        )
        checks.named(name, r"[a-z0-9]+(-[a-z0-9]+)*", 3, 63, wrong)
        account = self.store.get(self.parent_id(inputs))
        public = inputs.get("publicAccess", "None") != "None"
        if public and account and not account.props.get("allowBlobPublicAccess"):
            forbidden = "Public access is not permitted on this storage account."
            raise refusal("PublicAccessNotPermitted", forbidden, 409)

    def create(self, inputs: Props) -> tuple[str, Props]:
        made = super().create(inputs)
        if self.emulator:
            blob.make_container(self.emulator, inputs["accountName"], inputs["containerName"])
        return made


class BlobServiceProperties(AzureResource):
    token = "azure-native:storage:BlobServiceProperties"
    kind = "Microsoft.Storage/storageAccounts/blobServices"
    name_input = "blobServicesName"
    parents = ("accountName",)

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        if inputs["blobServicesName"] != "default":
            raise refusal("InvalidResourceName", "The blob service is called 'default'.")
        for policy in ("deleteRetentionPolicy", "containerDeleteRetentionPolicy"):
            days = child(inputs, policy).get("days")
            if days is not None and not 1 <= days <= 365:
                raise refusal("InvalidRetention", f"{policy}.days {days} is not in 1 to 365.")


class ManagementPolicy(AzureResource):
    token = "azure-native:storage:ManagementPolicy"
    kind = "Microsoft.Storage/storageAccounts/managementPolicies"
    name_input = "managementPolicyName"
    parents = ("accountName",)

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        if inputs["managementPolicyName"] != "default":
            raise refusal("InvalidResourceName", "The management policy is called 'default'.")


class Vault(AzureResource):
    token = "azure-native:keyvault:Vault"
    kind = "Microsoft.KeyVault/vaults"
    name_input = "vaultName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        name = inputs["vaultName"]
        wrong = (
            f"The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric"
            " characters. The name must begin with a letter, end with a letter or digit, and not"
            " contain consecutive hyphens."
        )
        pattern = "[a-zA-Z](-?[a-zA-Z0-9])*"
        checks.named(name, pattern, 3, 24, refusal("VaultNameNotValid", wrong))
        for other in self.store.find(self.token, vaultName=name):
            if other.id.lower() != self.identify(inputs).lower():
                taken = (
                    f"The vault name '{name}' is already in use. Vault names are globally unique"
                    " so it is possible that the name is already taken."
                )
                raise refusal("VaultAlreadyExists", taken, 409)

    def compute(self, id: str, inputs: Props) -> Props:
        uri = f"https://{inputs['vaultName']}.vault.azure.net/".lower()
        properties = {**inputs["properties"], "vaultUri": uri}
        return {**super().compute(id, inputs), "properties": properties}

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        if self.emulator:
            name = inputs["vaultName"].lower()
            self.emulator.host.publish(name, f"{name}.vault.azure.net", f"/vault{id}")
        return id, props

    def delete(self, id: str, known: Props) -> None:
        for record in self.store.all():
            if record.id.lower().startswith(f"{id.lower()}/"):
                self.store.delete(record.id)
        if self.emulator:
            self.emulator.host.remove(known["vaultName"].lower())

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        read = super().readable_inputs(props, inputs, known)
        own = {k: v for k, v in props["properties"].items() if k != "vaultUri"}
        return {**read, "properties": own}


def _deleted(id: str) -> str:
    """Where the store keeps the name of a secret that was deleted, until its vault goes."""
    return f"{id}/deleted"


class Secret(AzureResource):
    token = "azure-native:keyvault:Secret"
    kind = "Microsoft.KeyVault/vaults/secrets"
    name_input = "secretName"
    parents = ("vaultName",)

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        name = inputs["secretName"]
        wrong = (
            f"The request URI contains an invalid name: {name}. A secret's name is 1-127"
            " alphanumeric characters and hyphens."
        )
        checks.named(name, "[a-zA-Z0-9-]*", 1, 127, refusal("BadParameter", wrong))
        if self.store.get(_deleted(self.identify(inputs))):
            message = f"Secret {name} is currently in a deleted but recoverable state."
            raise refusal("ObjectIsDeletedButRecoverable", message, 409)

    def delete(self, id: str, known: Props) -> None:
        """In the vault itself, as the provider does it by the deployer's own login; ARM has no way.

        https://github.com/pulumi/pulumi-azure-native/blob/v3.29.0/provider/pkg/resources/customresources/custom_keyvault.go
        """
        vault = id.rsplit("/", 2)[0]
        record = self.store.get(vault)
        properties = child(record.props, "properties") if record else {}
        if properties.get("publicNetworkAccess") == "Disabled":
            message = "Public network access is disabled and request is not from a trusted service."
            raise refusal("ForbiddenByConnection", message, 403)
        officer = has_role(self.store, DEPLOYER_ID, "Key Vault Secrets Officer", id)
        if properties.get("enableRbacAuthorization") and not officer:
            message = "Caller is not authorized to perform action on resource."
            raise refusal("ForbiddenByRbac", message, 403)
        self.store.put(_deleted(id), "deleted", {})

    def compute(self, id: str, inputs: Props) -> Props:
        uri = f"https://{inputs['vaultName']}.vault.azure.net/secrets/{inputs['secretName']}"
        version = guid(f"{id}{child(inputs, 'properties').get('value')}").replace("-", "")
        known = {"secretUri": uri, "secretUriWithVersion": f"{uri}/{version}"}
        return {**super().compute(id, inputs), "properties": {**inputs["properties"], **known}}

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        return inputs or super().readable_inputs(props, inputs, known)
