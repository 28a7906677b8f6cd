"""What goes wrong on OCI."""

from collections.abc import Callable
from pathlib import Path

from infra.rehearsal.oci import cloud as oci
from infra.rehearsal.oci.ids import NAMESPACE, TENANCY
from infra.rehearsal.provider.values import Props
from tests.rehearsal.cases import REGISTRY, Case, World

_ORACLE = "https://docs.oracle.com/en-us/iaas/Content"
_API = f"{_ORACLE}/API/References/apierrors.htm"
_VCN = f"{_ORACLE}/Network/Concepts/overview.htm"
_POLICY = f"{_ORACLE}/Identity/Concepts/policysyntax.htm"
_BUCKETS = f"{_ORACLE}/Object/Tasks/managingbuckets.htm"
_KEYS = f"{_ORACLE}/KeyManagement/Concepts/keyoverview.htm"


def world(state_dir: Path) -> World:
    made = World(oci.open_cloud(state_dir))
    tenancy = {"compartmentId": TENANCY, "description": "of a test"}
    made.make("Compartment", "team", {**tenancy, "name": "team"})
    inside = {"compartmentId": made.ids["team"]}
    made.make("Vcn", "vcn", {**inside, "cidrBlocks": ["10.0.0.0/16"], "dnsLabel": "vcn"})
    in_vcn = {**inside, "vcnId": made.ids["vcn"]}
    made.make("Subnet", "one", {**in_vcn, "cidrBlock": "10.0.1.0/24"})
    rule = "ALL {resource.type = 'computecontainerinstance'}"
    made.make("DynamicGroup", "servers", {**tenancy, "name": "servers", "matchingRule": rule})
    made.make("Bucket", "bucket", {**inside, "namespace": NAMESPACE, "name": "bucket"})
    vault = made.make("Vault", "vault", {**inside, "displayName": "v", "vaultType": "DEFAULT"})
    shape = {"algorithm": "AES", "length": 32}
    key = {**inside, "displayName": "k", "keyShape": shape}
    made.ids["endpoint"] = vault["managementEndpoint"]
    made.make("Key", "key", {**key, "managementEndpoint": made.ids["endpoint"]})
    hidden = {"vaultId": made.ids["vault"], "keyId": made.ids["key"], "secretName": "taken"}
    made.make("Secret", "hidden", {**inside, **hidden})
    return made


def _inside(**given: object) -> Callable[[World], Props]:
    return lambda made: {"compartmentId": made.ids["team"], **given}


def _in_vcn(**given: object) -> Callable[[World], Props]:
    return lambda made: _inside(vcnId=made.ids["vcn"], **given)(made)


def _policy(statement: str, **given: object) -> Callable[[World], Props]:
    shared = {"compartmentId": TENANCY, "description": "d", "name": "p", **given}
    return lambda _: {**shared, "statements": [statement]}


def _bucket(**given: object) -> Callable[[World], Props]:
    return _inside(**{"namespace": NAMESPACE, "name": "other", **given})


def _key(**given: object) -> Callable[[World], Props]:
    shape = {"algorithm": "AES", "length": 32}
    return lambda made: _inside(
        **{
            "displayName": "k",
            "keyShape": shape,
            "managementEndpoint": made.ids["endpoint"],
            **given,
        }
    )(made)


def _secret(**given: object) -> Callable[[World], Props]:
    return lambda made: _inside(
        **{"vaultId": made.ids["vault"], "keyId": made.ids["key"], "secretName": "s", **given}
    )(made)


_MATCHING = f"{_ORACLE}/Identity/Tasks/managingdynamicgroups.htm"
CASES = [
    Case(
        "compartment that is not there",
        "Vcn",
        lambda _: {"compartmentId": "ocid1.compartment.oc1..none", "cidrBlock": "10.0.0.0/16"},
        "404-NotAuthorizedOrNotFound",
        _API,
    ),
    Case(
        "a network where a compartment belongs",
        "Vcn",
        lambda made: {"compartmentId": made.ids["vcn"], "cidrBlock": "10.0.0.0/16"},
        "404-NotAuthorizedOrNotFound",
        _API,
    ),
    Case(
        "no compartment",
        "Vcn",
        lambda _: {"cidrBlock": "10.0.0.0/16"},
        "missing required property 'compartmentId'",
        f"{REGISTRY}/oci/",
    ),
    Case("network too large", "Vcn", _inside(cidrBlock="10.0.0.0/8"), "between /16 and /30", _VCN),
    Case(
        "host bits in the network",
        "Vcn",
        _inside(cidrBlock="10.44.3.0/23"),
        "The requested CIDR 10.44.3.0/23 is invalid: CIDR IP 10.44.3.0 does not match network IP"
        " 10.44.2.0.",
        "https://github.com/oci-landing-zones/terraform-oci-core-landingzone/issues/29",
    ),
    Case("network is no CIDR", "Vcn", _inside(cidrBlock="ten"), "CIDR ten is invalid", _VCN),
    Case(
        "DNS label with a hyphen",
        "Vcn",
        _inside(cidrBlock="10.0.0.0/16", dnsLabel="my-net"),
        "DNS label my-net",
        f"{_ORACLE}/Network/Concepts/dns.htm",
    ),
    Case(
        "DNS label too long",
        "Vcn",
        _inside(cidrBlock="10.0.0.0/16", dnsLabel="a" * 16),
        "1 to 15",
        f"{_ORACLE}/Network/Concepts/dns.htm",
    ),
    Case(
        "subnet outside its network",
        "Subnet",
        _in_vcn(cidrBlock="10.1.0.0/24"),
        "not within the VCN's CIDR",
        _VCN,
    ),
    Case(
        "subnet overlaps another",
        "Subnet",
        _in_vcn(cidrBlock="10.0.1.128/25"),
        "overlaps with subnet CIDR 10.0.1.0/24",
        _VCN,
    ),
    Case(
        "subnet of no network",
        "Subnet",
        _inside(vcnId="ocid1.vcn.none", cidrBlock="10.0.2.0/24"),
        "404-NotAuthorizedOrNotFound",
        _API,
    ),
    Case(
        "a bucket where a network belongs",
        "NetworkSecurityGroup",
        lambda made: _inside(vcnId=made.ids["bucket"])(made),
        "404-NotAuthorizedOrNotFound",
        _API,
    ),
    Case(
        "dynamic group outside the tenancy",
        "DynamicGroup",
        _inside(description="d", name="g", matchingRule="ALL {resource.type = 'x'}"),
        "must be in the tenancy",
        _MATCHING,
    ),
    Case(
        "matching rule that is none",
        "DynamicGroup",
        lambda _: {
            "compartmentId": TENANCY,
            "description": "d",
            "name": "g",
            "matchingRule": "every container",
        },
        "Matching rule is invalid",
        _MATCHING,
    ),
    Case(
        "group name with a space",
        "DynamicGroup",
        lambda _: {
            "compartmentId": TENANCY,
            "description": "d",
            "name": "my group",
            "matchingRule": "ALL {resource.type = 'x'}",
        },
        "Name my group is invalid",
        _MATCHING,
    ),
    Case(
        "statement with a verb that is none",
        "Policy",
        _policy("Allow dynamic-group servers to write objects in tenancy"),
        "No permissions found",
        _POLICY,
    ),
    Case(
        "statement without a place",
        "Policy",
        _policy("Allow dynamic-group servers to read objects"),
        "No permissions found",
        _POLICY,
    ),
    Case(
        "compartment's OCID without the word id",
        "Policy",
        lambda made: _policy(
            "Allow dynamic-group servers to read objects in compartment " + made.ids["team"]
        )(made),
        "does not exist or is not part of the policy compartment subtree",
        "https://github.com/oci-landing-zones/oracle-enterprise-landingzone/issues/100",
    ),
    Case(
        "statement about a compartment above the policy's",
        "Policy",
        lambda made: _policy(
            f"Allow any-user to read objects in compartment id {TENANCY}",
            compartmentId=made.ids["team"],
        )(made),
        "not part of the policy compartment subtree",
        _POLICY,
    ),
    Case(
        "statement about a group that is not there",
        "Policy",
        _policy("Allow dynamic-group strangers to read objects in compartment team"),
        "The dynamic-group strangers specified in the policy statement does not exist",
        _POLICY,
    ),
    Case(
        "bucket in another's namespace",
        "Bucket",
        _bucket(namespace="other"),
        "NamespaceNotFound",
        _BUCKETS,
    ),
    Case("bucket name with a slash", "Bucket", _bucket(name="a/b"), "InvalidBucketName", _BUCKETS),
    Case("bucket name that is taken", "Bucket", _bucket(name="bucket"), "already exist", _BUCKETS),
    Case(
        "bucket access that is none",
        "Bucket",
        _bucket(accessType="Public"),
        "publicAccessType",
        _BUCKETS,
    ),
    Case(
        "bucket with a key that is not there",
        "Bucket",
        _bucket(kmsKeyId="ocid1.key.none"),
        "404-NotAuthorizedOrNotFound",
        _API,
    ),
    Case(
        "vault type that is none",
        "Vault",
        _inside(displayName="v", vaultType="CHEAP"),
        "Invalid vaultType",
        _KEYS,
    ),
    Case(
        "key length in bits",
        "Key",
        _key(keyShape={"algorithm": "AES", "length": 256}),
        "16, 24 or 32 bytes",
        _KEYS,
    ),
    Case(
        "key of no vault",
        "Key",
        _key(managementEndpoint="https://none"),
        "404-NotAuthorizedOrNotFound",
        _API,
    ),
    Case(
        "secret with no key",
        "Secret",
        _secret(keyId="ocid1.key.none"),
        "404-NotAuthorizedOrNotFound",
        _API,
    ),
    Case(
        "secret name that is taken",
        "Secret",
        _secret(secretName="taken"),
        "already exists in the vault",
        f"{_ORACLE}/KeyManagement/Tasks/managingsecrets.htm",
    ),
]
