"""Oracle Cloud Infrastructure."""

from collections.abc import Mapping
from typing import Any

# What holds data -> the names of those that hold none.
DATA = dict[str, str | None].fromkeys(
    (
        "oci:Mysql/mysqlDbSystem:MysqlDbSystem",
        "oci:ObjectStorage/bucket:Bucket",
        "oci:Psql/dbSystem:DbSystem",
    )
)
# What others add later. The provider updates such a resource from its state, and so sends a mistake
# unless that was refreshed: terraform-provider-oci 8.28.0, network_load_balancer_backend_set.
BEHIND = {"oci:NetworkLoadBalancer/backendSet:BackendSet": frozenset({"backends"})}
# What is only scheduled to go, by OCI's own default.
LINGERING = {
    "oci:Kms/vault:Vault": "is deleted after 30 days; until then it counts as a vault of the "
    "tenancy, and its compartment cannot be deleted",
}


def _smaller(was: Mapping[str, Any], will: Mapping[str, Any]) -> str:
    """https://docs.oracle.com/iaas/api/#/en/mysql/latest/datatypes/DataStorageDetails"""
    old, new = (int(inputs.get("dataStorageSizeInGb") or 0) for inputs in (was, will))
    return f"OCI makes no disk smaller. databaseStorage: {old} or more" if 0 < new < old else ""


# What OCI refuses of an update: why, and what else to do, by its inputs now and then; empty where
# it does not.
REFUSED = {"oci:Mysql/mysqlDbSystem:MysqlDbSystem": _smaller}
