"""What OCI and its provider do, each with its source: the stand-ins do the same."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.rehearsal.oci.access import iam
from infra.rehearsal.oci.compute import instances
from infra.rehearsal.oci.ids import HOME, NAMESPACE, REGION, TENANCY
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.resource import Call
from infra.rehearsal.provider.values import Props
from tests.rehearsal.cases import World, on_oci_parts

pytestmark = pytest.mark.slow  # importing the SDK's metadata takes seconds

_PROVIDER = "https://github.com/oracle/terraform-provider-oci/blob/v8.28.0/internal"


def _kind(made: World, name: str, config: Props | None = None, id: str = "") -> OciResource:
    [found] = [kind for kind in made.cloud.resources if kind.token.endswith(f":{name}")]
    resource = found(Call(made.cloud, config or {}, "it", "urn", id=id))
    assert isinstance(resource, OciResource)
    return resource


def _refused(call: Callable[[], object], says: str) -> None:
    with pytest.raises(CloudError, match=says):
        call()


def _home(made: World) -> None:
    inputs = {
        "compartmentId": TENANCY,
        "description": "d",
        "name": "g",
        "matchingRule": "ALL {resource.type = 'x'}",
    }
    elsewhere = _kind(made, "DynamicGroup", {"region": REGION})
    _refused(lambda: elsewhere.verify(inputs), "go to your home region IAD")
    _kind(made, "DynamicGroup", {"region": HOME}).verify(inputs)


def _policy(made: World, statement: str) -> None:
    where = {"compartmentId": made.ids["team"], "description": "d", "name": f"p{len(made.ids)}"}
    made.make("Policy", where["name"], {**where, "statements": [statement]})


def _delay(made: World) -> None:
    team = made.ids["team"]
    _policy(made, f"Allow dynamic-group servers to read repos in compartment id {team}")
    made.cloud.store.put("ocid1.computecontainerinstance.x", "any", {"compartmentId": team})
    made.cloud.conditions.rights = 60
    asked = ("ocid1.computecontainerinstance.x", "read", "repos", {"compartment": team})
    assert not iam.may(made.cloud, *asked)  # pyright: ignore[reportArgumentType]
    made.cloud.conditions.rights = 0
    assert iam.may(made.cloud, *asked)  # pyright: ignore[reportArgumentType]


def _log_agent(made: World) -> None:
    team = made.ids["team"]
    made.cloud.store.put("ocid1.computecontainerinstance.x", "any", {"compartmentId": team})
    asked = ("ocid1.computecontainerinstance.x", "UNIFIED_AGENT_CONFIG_GENERATE")
    facts = {"compartment": team}
    may = f"Allow dynamic-group servers to {{}} in compartment id {team}"
    _policy(made, f"{may.format('use log-content')} where target.loggroup.id = 'g'")
    assert not iam.permits(made.cloud, *asked, facts)
    _policy(made, may.format("{UNIFIED_AGENT_CONFIG_GENERATE}"))
    assert iam.permits(made.cloud, *asked, facts)
    assert not iam.permits(made.cloud, asked[0], "LOG_CONTENT_PUSH", facts)


def _versioning(made: World) -> None:
    inside = {"compartmentId": made.ids["team"], "namespace": NAMESPACE, "name": "bucket"}
    there = _kind(made, "Bucket", id=made.ids["bucket"])
    _refused(lambda: there.verify({**inside, "versioning": "Disabled"}), "Enabled,Suspended")
    there.verify({**inside, "versioning": "Suspended"})
    new = {**inside, "name": "new", "versioning": "Suspended"}
    _refused(lambda: _kind(made, "Bucket").verify(new), "Enabled,Disabled")


def _pending_name(made: World) -> None:
    known = made.cloud.store.get(made.ids["hidden"])
    assert known
    _kind(made, "Secret", id=known.id).delete(known.id, known.props)
    made.cloud.store.delete(known.id)
    _refused(lambda: _kind(made, "Secret").verify(known.props), "pending deletion")


def _images(_made: World) -> None:
    assert instances.images("VM.Standard.A1.Flex").isdisjoint(
        instances.images("VM.Standard.E5.Flex")
    )


def _stale_backends(made: World) -> None:
    of = {"networkLoadBalancerId": made.ids["balancer"]}
    given = {**of, "name": "server", "policy": "FIVE_TUPLE", "healthChecker": {"protocol": "TCP"}}
    known = made.make("BackendSet", "set", given)
    there = _kind(made, "BackendSet", id=made.ids["set"])
    there.update(made.ids["set"], given, known)
    backend = {**of, "backendSetName": "server", "ipAddress": "10.0.0.9", "port": 443}
    assert made.make("Backend", "backend", backend)["name"].startswith("backend-")
    _refused(lambda: there.update(made.ids["set"], given, known), "must not be null")
    refreshed = there.read(made.ids["set"], known)
    assert refreshed
    there.update(made.ids["set"], given, refreshed)


def _held_address(made: World) -> None:
    there = made.cloud.store.get(made.ids["balancer"])
    assert there
    address = {"compartmentId": made.ids["team"], "lifetime": "RESERVED"}
    made.make("PublicIp", "address", address)
    given = {**there.props, "reservedIps": [{"id": made.ids["address"]}]}
    _kind(made, "NetworkLoadBalancer", id=there.id).verify(given)
    made.cloud.store.put(there.id, there.token, given)
    _refused(lambda: _kind(made, "NetworkLoadBalancer").verify(given), "another load balancer")


def _replaces(kind: str, *paths: str, not_for: str = "") -> Callable[[World], None]:
    def check(made: World) -> None:
        found = _kind(made, kind).replace_paths()
        assert set(paths) <= found
        assert not not_for or not_for not in found

    return check


def _single(made: World) -> None:
    instance = _kind(made, "ContainerInstance")
    assert not instance.same("shapeConfig", {"memoryInGbs": 1.9}, {"memoryInGbs": 1.9})
    assert instance.replacing(["shapeConfig"], *[{"shapeConfig": {"memoryInGbs": 1.9}}] * 2)
    assert instance.same("shapeConfig", {"memoryInGbs": 1.5}, {"memoryInGbs": 1.5})


@dataclass(frozen=True)
class _Fact:
    says: str
    source: str
    holds: Callable[[World], None]


FACTS = [
    _Fact(
        "identities and policies change in the home region alone",
        "https://github.com/oracle-terraform-modules/terraform-oci-iam/issues/14",
        _home,
    ),
    _Fact(
        "a new policy is known after a while",
        "https://github.com/oracle-devrel/oke-credential-provider-for-ocir/issues/5",
        _delay,
    ),
    _Fact(
        "a condition on what a request has not declines it",
        "https://docs.oracle.com/iaas/Content/Identity/policyadvancedfeatures/"
        "policyadvancedfeatures.htm",
        _log_agent,
    ),
    _Fact(
        "versions of a bucket can be suspended, not disabled",
        "https://registry.terraform.io/providers/oracle/oci/latest/docs/resources/"
        "objectstorage_bucket",
        _versioning,
    ),
    _Fact(
        "the name of a deleted secret is taken until it is gone",
        "https://docs.oracle.com/iaas/Content/secret-management/Tasks/delete-secret.htm",
        _pending_name,
    ),
    _Fact(
        "images of one version fit some shapes alone",
        "https://github.com/canonical/pycloudlib/issues/137",
        _images,
    ),
    _Fact(
        "a backend set is updated with the backends of the state",
        f"{_PROVIDER}/service/network_load_balancer/network_load_balancer_backend_set_resource.go",
        _stale_backends,
    ),
    _Fact(
        "a reserved address is one load balancer's",
        "https://docs.oracle.com/iaas/Content/Network/Tasks/managingpublicIPs.htm",
        _held_address,
    ),
    _Fact(
        "sizes are kept in single precision",
        f"{_PROVIDER}/service/container_instances/container_instances_container_instance_resource.go",
        _single,
    ),
    _Fact(
        "other numbers replace the scaling of a pool",
        f"{_PROVIDER}/service/auto_scaling/auto_scaling_auto_scaling_configuration_resource.go",
        _replaces("AutoScalingConfiguration", "policies", not_for="compartmentId"),
    ),
    _Fact(
        "a database is replaced for another password, port or version",
        f"{_PROVIDER}/service/mysql/mysql_mysql_db_system_resource.go",
        _replaces("MysqlDbSystem", "adminPassword", "port", "mysqlVersion", "subnetId"),
    ),
    _Fact(
        "a database of PostgreSQL is replaced for another version",
        f"{_PROVIDER}/service/psql/psql_db_system_resource.go",
        _replaces("DbSystem", "dbVersion", "credentials.username", not_for="compartmentId"),
    ),
    _Fact(
        "another key makes another secret",
        f"{_PROVIDER}/service/vault/vault_secret_resource.go",
        _replaces("Secret", "keyId", "secretName", "vaultId"),
    ),
    _Fact(
        "another image of the system is put into an instance in place",
        f"{_PROVIDER}/service/core/core_instance_resource.go",
        _replaces(
            "Instance",
            "isPvEncryptionInTransitEnabled",
            "metadata.user_data",
            "createVnicDetails.subnetId",
            not_for="sourceDetails.sourceId",
        ),
    ),
]


@pytest.mark.parametrize("fact", FACTS, ids=[fact.says for fact in FACTS])
def test_the_stand_in_does_as_oci_does(fact: _Fact, tmp_path: Path) -> None:
    assert fact.source.startswith("https://")
    fact.holds(on_oci_parts.world(tmp_path))
