"""What holds data: the one list for policies, the guard of updates and `make down`. Pure."""

import re

VOLUME = "docker:index/volume:Volume"
_EMPTIED = "pulumi-python:dynamic/trackstack:EmptiedBucket"
_GENERATED = "pulumi-python:dynamic/trackstack:GeneratedSecret"
# Each is made with the options `protect` and `retain_on_delete` of its cloud's scope.
TYPES = frozenset(
    {
        VOLUME,
        "pulumi-python:dynamic/trackstack:LocalDataDirectory",
        # With its group, Azure deletes all that is in it.
        "azure-native:resources:ResourceGroup",
        "azure-native:storage:BlobContainer",
        "azure-native:storage:StorageAccount",
        "azure-native:dbformysql:Database",
        "azure-native:dbformysql:Server",
        "azure-native:dbforpostgresql:Database",
        "azure-native:dbforpostgresql:Server",
        "oci:Mysql/mysqlDbSystem:MysqlDbSystem",
        "oci:ObjectStorage/bucket:Bucket",
        "oci:Psql/dbSystem:DbSystem",
    }
)
# Volumes whose content is made again: secrets, and the certificates that the proxy was issued.
_MADE_AGAIN = re.compile(r".*-secrets|front-data")
_VERSION = re.compile(r"/v\d{8}(preview)?(?=:)")
# Set by what runs an update: the data directory that the stack in the state has. The server in it
# is the stack's own, also where the update moves the stack to another directory.
DIRECTORY_VARIABLE = "TRACKSTACK_STACK_DIRECTORY"


def holds_data(kind: str, name: str) -> bool:
    """Whether the loss of a resource, by its type and its name in the stack, is a loss of data."""
    if _VERSION.sub("", kind) not in TYPES:
        return False
    return kind != VOLUME or not _MADE_AGAIN.fullmatch(name)


def emptied(kind: str, name: str) -> str | None:
    """The name of the bucket that a resource of ours empties when it goes; None of any other."""
    return name.removesuffix("-emptied") if kind == _EMPTIED else None


def opens_data(kind: str, name: str) -> bool:
    """Whether it is the password of a database that the stack made, which knows no other."""
    return kind == _GENERATED and name in ("database-password", "database-admin-password")
