"""What goes wrong with storage, vaults and roles on Azure."""

from infra.rehearsal.azure.ids import group_id, guid
from tests.rehearsal.cases import REGISTRY, Case
from tests.rehearsal.cases.azure_world import account, container, in_group, role, vault, world

__all__ = ["CASES", "world"]

_LEARN = "https://learn.microsoft.com/azure"
_NAMES = f"{_LEARN}/azure-resource-manager/management/resource-name-rules"
_ERRORS = f"{_LEARN}/azure-resource-manager/troubleshooting/common-deployment-errors"
_RBAC = f"{_LEARN}/role-based-access-control/troubleshooting"
_BLOBS = (
    "https://learn.microsoft.com/rest/api/storageservices/"
    "naming-and-referencing-containers--blobs--and-metadata"
)
_ACCOUNTS = f"{_LEARN}/azure-resource-manager/troubleshooting/error-storage-account-name"


CASES = [
    Case(
        "account name with capitals",
        "StorageAccount",
        account("Models"),
        "AccountNameInvalid",
        _ACCOUNTS,
    ),
    Case(
        "account name with a hyphen",
        "StorageAccount",
        account("my-models"),
        "use numbers and lower-case letters only",
        _NAMES,
    ),
    Case(
        "account name too long",
        "StorageAccount",
        account("a" * 25),
        "between 3 and 24 characters",
        _NAMES,
    ),
    Case(
        "account name too short",
        "StorageAccount",
        account("ab"),
        "between 3 and 24 characters",
        _NAMES,
    ),
    Case(
        "account name that another has",
        "StorageAccount",
        lambda _: {**account("taken")(_), "resourceGroupName": "far"},
        "StorageAccountAlreadyTaken",
        _ACCOUNTS,
    ),
    Case(
        "account kind that is none",
        "StorageAccount",
        account("models", kind="StorageV3"),
        "'kind' must be one of",
        f"{REGISTRY}/azure-native/api-docs/storage/storageaccount/",
    ),
    Case(
        "account SKU that is none",
        "StorageAccount",
        account("models", sku={"name": "Standard_XRS"}),
        "'sku.name' must be one of",
        f"{REGISTRY}/azure-native/api-docs/storage/storageaccount/",
    ),
    Case(
        "container name with capitals",
        "BlobContainer",
        container("Runs"),
        "InvalidResourceName",
        _BLOBS,
    ),
    Case(
        "container name with two hyphens",
        "BlobContainer",
        container("my--runs"),
        "contains invalid characters",
        _BLOBS,
    ),
    Case("container name too short", "BlobContainer", container("ab"), "OutOfRangeInput", _BLOBS),
    Case(
        "container of no account",
        "BlobContainer",
        container("runs", accountName="none"),
        "Parent resource 'none' not found",
        _ERRORS,
    ),
    Case(
        "public container of a private account",
        "BlobContainer",
        container("runs", publicAccess="Blob"),
        "PublicAccessNotPermitted",
        f"{_LEARN}/storage/blobs/anonymous-read-access-prevent",
    ),
    Case("vault name with an underscore", "Vault", vault("my_vault"), "VaultNameNotValid", _NAMES),
    Case(
        "vault name begins with a digit",
        "Vault",
        vault("1vault"),
        "must begin with a letter",
        _NAMES,
    ),
    Case(
        "vault name that another has",
        "Vault",
        lambda _: {**vault("taken-vault")(_), "resourceGroupName": "far"},
        "VaultAlreadyExists",
        f"{_LEARN}/key-vault/general/key-vault-recovery",
    ),
    Case(
        "vault without a tenant",
        "Vault",
        vault("vault", tenantId=None),
        "missing required property 'properties.tenantId'",
        f"{REGISTRY}/azure-native/",
    ),
    Case(
        "secret name with an underscore",
        "Secret",
        in_group(vaultName="taken-vault", secretName="db_password", properties={"value": "x"}),
        "invalid name: db_password",
        _NAMES,
    ),
    Case(
        "role assignment name that is no GUID",
        "RoleAssignment",
        role(roleAssignmentName="reader"),
        "The role assignment ID must be a GUID",
        _RBAC,
    ),
    Case(
        "role that is none",
        "RoleAssignment",
        role(roleDefinitionId="reader"),
        "RoleDefinitionDoesNotExist",
        _RBAC,
    ),
    Case(
        "role for nobody",
        "RoleAssignment",
        role(principalId=guid("nobody")),
        "PrincipalNotFound",
        _RBAC,
    ),
    Case("role given twice", "RoleAssignment", role(), "RoleAssignmentExists", _RBAC),
    Case(
        "role on what is not there",
        "RoleAssignment",
        role(scope=group_id("nowhere")),
        "ResourceNotFound",
        _RBAC,
    ),
]
