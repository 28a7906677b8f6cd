"""A rehearsal of Azure as pulumi_azure_native reaches it."""

from pathlib import Path

from tests.clouds.azure.identity import RoleAssignment, UserAssignedIdentity
from tests.clouds.azure.network import NetworkSecurityGroup, Subnet, VirtualNetwork
from tests.clouds.azure.resource import ResourceGroup
from tests.clouds.azure.storage import BlobContainer, Secret, StorageAccount, Vault
from tests.clouds.framework.resource import Cloud


def cloud(state_dir: Path) -> Cloud:
    types = [BlobContainer, NetworkSecurityGroup, ResourceGroup, RoleAssignment, Secret]
    types += [StorageAccount, Subnet, UserAssignedIdentity, Vault, VirtualNetwork]
    return Cloud("azure-native", types, state_dir)
