"""What goes wrong with compute, database, addresses and alarms on OCI."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.rehearsal.oci.ids import DOMAINS, NAMESPACE
from infra.rehearsal.provider.values import Props
from tests.rehearsal.cases import Case, World, on_oci

_ORACLE = "https://docs.oracle.com/en-us/iaas"
_INSTANCES = f"{_ORACLE}/Content/container-instances/creating-a-container-instance.htm"
_MACHINES = f"{_ORACLE}/api/#/en/iaas/20160918/datatypes/LaunchInstanceDetails"
_MYSQL = f"{_ORACLE}/api/#/en/mysql/20190415/datatypes/CreateDbSystemDetails"
_BALANCER = f"{_ORACLE}/Content/NetworkLoadBalancer/overview.htm"
_ROUTES = f"{_ORACLE}/Content/Network/Tasks/managingroutetables.htm"
_REGISTRY = f"{_ORACLE}/Content/Registry/Concepts/registryconcepts.htm"


def world(state_dir: Path) -> World:
    made = on_oci.world(state_dir)
    inside = {"compartmentId": made.ids["team"]}
    in_vcn = {**inside, "vcnId": made.ids["vcn"]}
    private = {"cidrBlock": "10.0.2.0/24", "prohibitPublicIpOnVnic": True}
    made.make("Subnet", "private", {**in_vcn, **private})
    made.make("InternetGateway", "internet", in_vcn)
    made.make("ContainerRepository", "images", {**inside, "displayName": "images"})
    balancer = {**inside, "displayName": "b", "subnetId": made.ids["one"]}
    made.make("NetworkLoadBalancer", "balancer", balancer)
    return made


def _inside(given: Callable[[World], Props]) -> Callable[[World], Props]:
    return lambda made: {"compartmentId": made.ids["team"], **given(made)}


def _instance(container: Props | None = None, **given: Any) -> Callable[[World], Props]:
    def inputs(made: World) -> Props:
        return {
            "availabilityDomain": DOMAINS[0],
            "shape": "CI.Standard.E4.Flex",
            "shapeConfig": {"ocpus": 1, "memoryInGbs": 4},
            "containers": [{"imageUrl": "i", "displayName": "server", **(container or {})}],
            "vnics": [{"subnetId": made.ids["private"]}],
            **given,
        }

    return _inside(inputs)


def _database(**given: Any) -> Callable[[World], Props]:
    def inputs(made: World) -> Props:
        return {
            "availabilityDomain": DOMAINS[0],
            "shapeName": "MySQL.2",
            "subnetId": made.ids["private"],
            "adminUsername": "trackstack",
            "adminPassword": "Long-Enough-1",
            **given,
        }

    return _inside(inputs)


def _of_balancer(**given: Any) -> Callable[[World], Props]:
    return lambda made: {"networkLoadBalancerId": made.ids["balancer"], **given}


def _volume(**given: Any) -> list[Props]:
    return [{"name": "secrets", "volumeType": "CONFIGFILE", **given}]


def _machine(public: str = "false", **given: Any) -> Callable[[World], Props]:
    return _inside(
        lambda made: {
            "availabilityDomain": DOMAINS[0],
            "shape": "VM.Standard.E5.Flex",
            "shapeConfig": {"ocpus": 1, "memoryInGbs": 8},
            "sourceDetails": {"sourceType": "image", "sourceId": "ocid1.image"},
            "createVnicDetails": {
                "subnetId": made.ids["private"],
                "assignPublicIp": public,
            },
            **given,
        }
    )


CASES = [
    Case(
        "instance of a shape that is none",
        "ContainerInstance",
        _instance(shape="VM.Standard.E4.Flex"),
        "Shape VM.Standard.E4.Flex is not valid",
        _INSTANCES,
    ),
    Case(
        "instance with too much memory",
        "ContainerInstance",
        _instance(shapeConfig={"ocpus": 1, "memoryInGbs": 128}),
        "not from 1 to 64",
        _INSTANCES,
    ),
    Case(
        "container with more memory than its instance",
        "ContainerInstance",
        _instance({"resourceConfig": {"memoryLimitInGbs": 8}}),
        "more than the instance's memory",
        _INSTANCES,
    ),
    Case(
        "instance in another region's availability domain",
        "ContainerInstance",
        _instance(availabilityDomain="Uocm:PHX-AD-1"),
        "Invalid availabilityDomain",
        _INSTANCES,
    ),
    Case(
        "public address in a private subnet",
        "ContainerInstance",
        lambda made: _instance(
            vnics=[{"subnetId": made.ids["private"], "isPublicIpAssigned": True}]
        )(made),
        "no VNIC have a public address",
        _INSTANCES,
    ),
    Case(
        "volume that is not there",
        "ContainerInstance",
        _instance({"volumeMounts": [{"volumeName": "data", "mountPath": "/data"}]}),
        "The volume 'data' is not defined",
        _INSTANCES,
    ),
    Case(
        "file that is not in base64",
        "ContainerInstance",
        _instance(volumes=_volume(configs=[{"fileName": "token", "data": "not base64!"}])),
        "is not base64",
        _INSTANCES,
    ),
    Case(
        "restart policy of another cloud",
        "ContainerInstance",
        _instance(containerRestartPolicy="Always"),
        "containerRestartPolicy is not valid",
        _INSTANCES,
    ),
    Case(
        "database with too little storage",
        "MysqlDbSystem",
        _database(dataStorageSizeInGb=20),
        "50 to 131072",
        _MYSQL,
    ),
    Case(
        "database shape that is none",
        "MysqlDbSystem",
        _database(shapeName="Standard_B1ms"),
        "Shape Standard_B1ms is not valid",
        _MYSQL,
    ),
    Case(
        "administrator's password too simple",
        "MysqlDbSystem",
        _database(adminPassword="onlyletters"),
        "one at least of each",
        _MYSQL,
    ),
    Case(
        "administrator's password too long",
        "MysqlDbSystem",
        _database(adminPassword="Aa1-" * 9),
        "8 to 32 characters",
        _MYSQL,
    ),
    Case(
        "administrator's name that is reserved",
        "MysqlDbSystem",
        _database(adminUsername="root"),
        "adminUsername root is not valid",
        _MYSQL,
    ),
    Case(
        "standby of a free database",
        "MysqlDbSystem",
        _database(shapeName="MySQL.Free", isHighlyAvailable=True),
        "High availability needs another shape",
        _MYSQL,
    ),
    Case(
        "backups kept for too long",
        "MysqlDbSystem",
        _database(backupPolicy={"retentionInDays": 60}),
        "retentionInDays must be 1 to 35",
        _MYSQL,
    ),
    Case(
        "public load balancer in a private subnet",
        "NetworkLoadBalancer",
        _inside(lambda made: {"displayName": "b", "subnetId": made.ids["private"]}),
        "needs a public subnet",
        _BALANCER,
    ),
    Case(
        "listener of a backend set that is not there",
        "Listener",
        _of_balancer(name="l", port=443, protocol="TCP", defaultBackendSetName="none"),
        "There is no backend set 'none'",
        _BALANCER,
    ),
    Case(
        "route to what is no gateway",
        "RouteTable",
        _inside(
            lambda made: {
                "vcnId": made.ids["vcn"],
                "routeRules": [
                    {"destination": "0.0.0.0/0", "networkEntityId": made.ids["private"]}
                ],
            }
        ),
        "404-NotAuthorizedOrNotFound",
        _ROUTES,
    ),
    Case(
        "second internet gateway",
        "InternetGateway",
        _inside(lambda made: {"vcnId": made.ids["vcn"]}),
        "at most one internet gateway",
        _ROUTES,
    ),
    Case(
        "repository name with capitals",
        "ContainerRepository",
        _inside(lambda _: {"displayName": "MLflow"}),
        "Invalid repository name MLflow",
        _REGISTRY,
    ),
    Case(
        "repository name that is taken",
        "ContainerRepository",
        _inside(lambda _: {"displayName": "images"}),
        "already exist",
        _REGISTRY,
    ),
    Case(
        "lifecycle rules that Object Storage may not carry out",
        "ObjectLifecyclePolicy",
        lambda _: {"namespace": NAMESPACE, "bucket": "bucket", "rules": []},
        "InsufficientServicePermissions",
        f"{_ORACLE}/Content/Object/Tasks/usinglifecyclepolicies.htm",
    ),
    Case(
        "machine of a shape that is none",
        "Instance",
        _machine(shape="VM.Huge"),
        "Shape VM.Huge is not valid",
        _MACHINES,
    ),
    Case(
        "machine with too little memory",
        "Instance",
        _machine(shapeConfig={"ocpus": 4, "memoryInGbs": 2}),
        "is not from 1 to 64 for each",
        _MACHINES,
    ),
    Case(
        "machine with too much metadata",
        "Instance",
        _machine(metadata={"user_data": "x" * 40_000}),
        "more than 32000 bytes",
        f"{_ORACLE}/Content/Compute/Tasks/updatinginstancemetada.htm",
    ),
    Case(
        "machine with a public address in a private subnet",
        "Instance",
        _machine(public="true"),
        "The subnet lets no VNIC have a public address",
        _MACHINES,
    ),
]
