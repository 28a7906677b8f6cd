"""Kinds of stacks, and another value for each of their keys."""

from typing import Any, cast

from tests.infra.stack_files import AZURE, OCI

_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA"
# Of a size that has a standby, and that PostgreSQL and MySQL have.
_AZURE = {**AZURE, "databaseSku": "Standard_D2ads_v5"}
STACKS: dict[str, dict[str, Any]] = {
    "local": {"cloud": "local", "port": 5055},
    "local-container": {"cloud": "local", "compute": "container", "port": 5056},
    "azure-container": _AZURE,
    "azure-scale": {**_AZURE, "compute": "scale"},
    "azure-vm": {**_AZURE, "compute": "vm", "sshPublicKey": _KEY},
    "oci-container": OCI,
    "oci-postgresql": {**OCI, "database": "postgresql"},
    "oci-scale": {**OCI, "compute": "scale"},
    "oci-vm": {**OCI, "compute": "vm"},
}
_ACME = {"tls": "acme", "hostname": "a.example.com", "acmeEmail": "a@example.com"}
_OIDC = {
    "oidcIssuer": "https://login.example.com",
    "oidcClientId": "the-client",
    "allowedGroups": ["users"],
}
# Another value of each key; of those that need one another, all at once.
_OTHER: dict[str, dict[str, Any]] = {
    "acmeDirectory": {**_ACME, "acmeDirectory": "https://acme.example"},
    "acmeEmail": _ACME,
    "adminGroups": {**_OIDC, "adminGroups": ["admins"]},
    "allowedGroups": _OIDC,
    "artifactLocations": {"artifactLocations": ["s3://team-a/mlflow"]},
    "allowedUsers": {**_OIDC, "allowedUsers": ["ada@example.com"]},
    "readGroups": {**_OIDC, "readGroups": ["readers"]},
    "oidcIssuer": _OIDC,
    "oidcClientId": _OIDC,
    "oidcUserClaim": {**_OIDC, "oidcUserClaim": "upn"},
    "registryUser": {"registry": "registry.example/team", "registryUser": "u"},
    "registry": {"registry": "registry.example/team", "registryUser": "u"},
    "hostname": {"hostname": "mlflow.example.com"},
    "tls": _ACME,
    "tlsCertificateFile": {},
    "extraCaFile": {},
    "restoreBackup": {"restoreBackup": "20261121T035500Z-3fa2"},
    "environment": {"environment": {"A": "b"}},
    "image": {"image": f"registry.example/t@sha256:{'1' * 64}"},
    "minReplicas": {"minReplicas": 2, "maxReplicas": 3},
    "maxReplicas": {"maxReplicas": 5},
    "sshCidrs": {"sshPublicKey": _KEY, "sshCidrs": ["10.1.0.0/16"]},
    "sshPublicKey": {"sshPublicKey": _KEY + "B"},
    "networkCidr": {"networkCidr": "10.90.0.0/16"},
    "allowedCidrs": {"allowedCidrs": ["10.2.0.0/16"]},
    "virtualNetworkId": {
        "virtualNetworkId": f"/subscriptions/{AZURE['subscriptionId']}/resourceGroups/g/providers"
        "/Microsoft.Network/virtualNetworks/v"
    },
    # Only with virtualNetworkId, which has a line of its own.
    "privateDnsZoneIds": {},
    "artifactsRedundancy": {"artifactsRedundancy": "ZRS"},
    "vcnId": {"vcnId": "ocid1.vcn.oc1..aaaa"},
    "databaseSecretId": {"databaseSecretId": "ocid1.vaultsecret.oc1..aaaa"},
    "vaultId": {"vaultId": "ocid1.vault.oc1..aaaa"},
    "databaseSku": {"databaseSku": "Standard_B2s"},
    "subscriptionId": {"subscriptionId": "11111111-2222-4333-8444-555555555555"},
    "resourceGroup": {"resourceGroup": "other"},
    "compartmentId": {"compartmentId": "ocid1.compartment.oc1..bbbb"},
    "tenancyId": {"tenancyId": "ocid1.tenancy.oc1..bbbb"},
    "registryHost": {"registryHost": "ocir.example.com"},
    "dataDir": {"dataDir": "elsewhere"},
    "artifactsDestination": {"artifactsDestination": "elsewhere"},
    "backupDestination": {"backupDestination": "s3://backups/here"},
    "tags": {"tags": {"team": "a"}},
}
# Kind of stack -> another compute; the other ways are the same.
_COMPUTE: dict[str, dict[str, Any]] = {
    "azure-container": {"compute": "scale"},
    "azure-scale": {"compute": "vm", "sshPublicKey": _KEY},
    "oci-container": {"compute": "scale"},
    "oci-scale": {"compute": "vm"},
}
_LARGER = "PostgreSQL.VM.Standard.E4.Flex.4.64GB"
_VALUES: dict[str, Any] = {
    "region": {"azure": "northeurope", "oci": "eu-amsterdam-1"},
    "database": {"azure": "mysql", "oci": "postgresql"},
    "computeShape": {"oci": "CI.Standard.E3.Flex"},
    "databaseShape": {"oci": "MySQL.4"},
    "databaseStorage": {"azure": 64, "oci": 100},
    "name": "elsewhere",
    "cloud": {},
    "port": 5057,
    "address": "127.0.0.2",
    "pathPrefix": "/mlflow",
    "logFormat": "json",
    "logLevel": "debug",
    "pruneAction": "delete",
    "pruneNotice": "3d",
    "gcSchedule": "1 * * * *",
    "gcTtl": "12h",
    "pruneSchedule": "2 3 * * *",
    "backupSchedule": "4 5 * * *",
    "backupDrillSchedule": "5 6 * * 0",
    "imageBuild": "acr",
    "frontImage": "registry.example/caddy:2",
    "databaseImage": "registry.example/postgres:17",
    "baseImage": "registry.example/python:3",
    "extraPackages": ["cowsay"],
    "mlflowVersion": "3.16",
    "alertEmail": "a@example.com",
    "platform": "linux/arm64",
    "cpus": 3,
    "memory": 6,
    "availabilityDomain": 2,
}


def others(stack: str, key: str, default: Any) -> dict[str, Any]:
    """Keys of the stack file that give this one another value; none where it has but one."""
    if key == "compute":
        return _COMPUTE.get(stack, {})
    if key in _OTHER:
        return _OTHER[key]
    value: Any = _VALUES.get(key)
    if isinstance(value, dict):
        by_cloud = cast("dict[str, Any]", value)
        value = by_cloud.get(STACKS[stack]["cloud"])
        if stack == "oci-postgresql":
            value = {"database": "mysql", "databaseShape": _LARGER}.get(key, value)
    elif value is None:
        value = not default if isinstance(default, bool) else int(default or 1) + 1
    return {key: value} if value is not None else {}
