"""What a stack on OCI makes, whatever its keys say: on mocks, with no engine and no cloud."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from infra.plan.oci import OciPlan
from infra.rehearsal.oci.access.policies import parse as parse_statement
from infra.rehearsal.oci.cloud import open_cloud
from infra.rehearsal.oci.compute.containers import ContainerInstance
from infra.rehearsal.oci.compute.instances import Instance
from infra.rehearsal.oci.compute.pools import InstanceConfiguration
from infra.rehearsal.provider.resource import Call
from tests.examples import examples
from tests.infra.recording import HOME_REGION, OciMade, deploy_oci

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[3]
_ANYWHERE = "0.0.0.0/0"
_BASE: dict[str, Any] = {
    "cloud": "oci",
    "tenancyId": "ocid1.tenancy.oc1..aaaatest",
    "compartmentId": "ocid1.compartment.oc1..aaaatest",
    "region": "eu-frankfurt-1",
    "allowedCidrs": ["203.0.113.0/24", "198.51.100.0/24"],
}
_PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43


@st.composite
def _keys(draw: st.DrawFn) -> dict[str, Any]:
    keys = {
        **_BASE,
        "compute": draw(st.sampled_from(["container", "scale", "vm"])),
        "private": draw(st.booleans()),
        "keepData": draw(st.booleans()),
        "versioning": draw(st.booleans()),
        "highAvailability": draw(st.booleans()),
        "protect": draw(st.booleans()),
    }
    if draw(st.booleans()):
        keys["alertEmail"] = "ops@example.com"
    if draw(st.booleans()):
        keys["database"] = "postgresql"
    if draw(st.booleans()):
        keys["databaseSecretId"] = "ocid1.vaultsecret.oc1.eu-frankfurt-1.theirs"
    if draw(st.booleans()):
        keys |= {
            "vcnId": "ocid1.vcn.oc1.eu-frankfurt-1.theirs",
            "hostname": "mlflow.example.com",
        }
    if keys["compute"] == "scale":
        least, most = sorted((draw(st.integers(1, 9)), draw(st.integers(1, 9))))
        keys |= {"minReplicas": least, "maxReplicas": most}
    if keys["compute"] != "container" and draw(st.booleans()):
        keys |= {"sshPublicKey": _PUBLIC_KEY, "sshCidrs": ["203.0.113.7/32"]}
    return keys


@settings(max_examples=examples(25), deadline=None, phases=[Phase.explicit, Phase.generate])
@given(keys=_keys())
def test_whatever_the_keys_nothing_is_open_and_no_right_too_wide(keys: dict[str, Any]) -> None:
    plan, made = deploy_oci(keys)
    _check_rules(keys, made)
    _check_policies(plan, made)
    _check_stores(keys, made)
    assert made.broken() == []
    assert made.protected() == made.holding_data()
    checks = {"container": _check_container, "scale": _check_scale, "vm": _check_vm}
    checks[keys["compute"]](keys, made)
    [balancer] = made.of("NetworkLoadBalancer")
    assert balancer["isPrivate"] == keys["private"]
    assert bool(made.of("Vcn")) == ("vcnId" not in keys)
    assert bool(made.of("Alarm")) == ("alertEmail" in keys)


def _check_container(keys: dict[str, Any], made: OciMade) -> None:
    [instance] = made.of("ContainerInstance")
    assert [vnic["isPublicIpAssigned"] for vnic in instance["vnics"]] == [False]
    # It pulls once, and so after the right to pull is known; that waits for no database.
    needs = made.options("server")["dependencies"]
    assert any(urn.endswith("::may-pull-known") for urn in needs)
    assert not any(urn.endswith("::database") for urn in made.options("may-pull")["dependencies"])
    [server] = [entry for entry in instance["containers"] if entry["displayName"] == "server"]
    # Whoever probes it, and wherever from, reaches it; only the proxy may speak for others.
    assert server["environmentVariables"]["MLFLOW_HOST"] == "0.0.0.0"
    assert server["environmentVariables"]["FORWARDED_ALLOW_IPS"] == "127.0.0.1"
    written = json.dumps(instance["containers"])
    assert "Generated-0" not in written
    assert ".trackstack.invalid" not in written
    disabled = [
        entry["displayName"]
        for entry in instance["containers"]
        if entry["isResourcePrincipalDisabled"]
    ]
    assert disabled == ["front"]
    own_database = "databaseSecretId" not in keys
    names = [entry["displayName"] for entry in instance["containers"]]
    assert names == [*(["database"] if own_database else []), "server", "scheduler", "front"]


def _check_vm(keys: dict[str, Any], made: OciMade) -> None:
    [instance] = made.of("Instance")
    assert instance["createVnicDetails"]["assignPublicIp"] == "false"
    _check_machine(keys, instance)
    [collected] = made.of("UnifiedAgentConfiguration")
    assert collected["groupAssociation"] == {"groupLists": ["ocid1.identity"]}
    [group] = made.of("DynamicGroup")
    assert group["matchingRule"] == "instance.id = 'ocid1.server'"


def _check_scale(keys: dict[str, Any], made: OciMade) -> None:
    [pool] = made.of("InstancePool")
    least, most = keys["minReplicas"], keys["maxReplicas"]
    assert pool["size"] == least
    assert len(pool["placementConfigurations"]) == 3
    [configuration] = made.of("InstanceConfiguration")
    launched = configuration["instanceDetails"]["launchDetails"]
    assert launched["createVnicDetails"]["assignPublicIp"] is False
    _check_machine(keys, launched)
    assert launched["sourceDetails"]["imageId"] == "ocid1.image"
    assert made.options("system-image")["ignoreChanges"] == ["value"]
    assert [
        (policy["capacity"]["min"], policy["capacity"]["max"])
        for found in made.of("AutoScalingConfiguration")
        for policy in found["policies"]
    ] == ([(least, most)] if most > least else [])
    if most > least:
        # The provider replaces it for other numbers, and a pool can have one.
        assert made.options("autoscaling")["deleteBeforeReplace"]
    [rollout] = made.of("Rollout")
    assert rollout["pool"] == "ocid1.server"


def _check_machine(keys: dict[str, Any], instance: dict[str, Any]) -> None:
    [plugin] = instance["agentConfig"]["pluginsConfigs"]
    assert plugin == {"name": "Custom Logs Monitoring", "desiredState": "ENABLED"}
    assert instance["instanceOptions"] == {"areLegacyImdsEndpointsDisabled": True}
    assert ("ssh_authorized_keys" in instance["metadata"]) == ("sshPublicKey" in keys)
    described = gzip.decompress(base64.b64decode(instance["metadata"]["trackstack"])).decode()
    assert "Generated-0" not in described
    assert ".trackstack.invalid" not in described
    assert set(json.loads(described)["secrets"]) >= {"tracking_token", "job_token", "ca_key"}
    assert ("--elect" in described) == (keys["compute"] == "scale")


def _check_rules(keys: dict[str, Any], made: OciMade) -> None:
    for rules in made.of("SecurityList"):
        # That a packet is too large for its way, and nothing else.
        [told] = rules["ingressSecurityRules"]
        assert (told["protocol"], told["icmpOptions"]) == ("1", {"type": 3, "code": 4})
    sources = {
        (rule["source"], rule["tcpOptions"]["destinationPortRange"]["min"])
        for rule in made.of("NetworkSecurityGroupSecurityRule")
    }
    probes = {("10.80.0.0/18" if keys["private"] else "10.80.128.0/18", 443)}
    front = {(cidr, 443) for cidr in keys["allowedCidrs"]}
    ssh = {(cidr, 22) for cidr in keys.get("sshCidrs", ())}
    port = 5432 if keys.get("database") == "postgresql" else 3306
    assert sources == front | probes | ssh | {("ocid1.server-rules", port)}
    public = [s["displayName"] for s in made.of("Subnet") if not s["prohibitPublicIpOnVnic"]]
    assert len(public) == (0 if keys["private"] else 1)
    assert bool(made.of("InternetGateway")) == (not keys["private"] and "vcnId" not in keys)


def _check_policies(plan: OciPlan, made: OciMade) -> None:
    policies = [p for p in made.of("Policy") if not p["name"].endswith("-lifecycle")]
    statements = [parse_statement(text) for may in policies for text in may["statements"]]
    allowed: set[str] = set()
    named: set[str] = set()
    for statement in statements:
        assert statement
        assert statement.subject == f"dynamic-group {plan.names.identity}"
        assert statement.compartment == plan.settings.compartment_id
        if statement.permissions:
            # Of which OCI knows no target: a condition would decline them.
            assert not statement.condition
            named |= statement.permissions
            continue
        # Each is held to one resource of the stack's own.
        assert "target." in statement.condition
        allowed.add(f"{statement.verb} {statement.resource}")
    is_machine = plan.settings.compute != "container"
    assert named == ({"UNIFIED_AGENT_CONFIG_GENERATE"} if is_machine else set())
    assert allowed == {
        "manage objects",
        "read buckets",
        "read repos",
        "read secret-bundles",
        *(["use metrics"] if plan.settings.alert_email else []),
        *(["use log-content"] if is_machine else []),
    }
    # OCI changes identities and policies in the tenancy's home region alone.
    for one in made.registered:
        if one.type.startswith("oci:Identity/"):
            assert "::oci-home::" in one.options["provider"], one.name
    [region] = [one.inputs["region"] for one in made.registered if one.name == "oci-home"]
    assert region == HOME_REGION
    assert region != plan.settings.region


def _check_stores(keys: dict[str, Any], made: OciMade) -> None:
    artifacts, backups = sorted(made.of("Bucket"), key=lambda each: each["name"])
    for bucket in (artifacts, backups):
        assert bucket["accessType"] == "NoPublicAccess"
        assert bucket["versioning"] == ("Enabled" if keys["versioning"] else "Disabled")
    assert backups["name"] == f"{artifacts['name']}-backups"
    [repository] = made.of("ContainerRepository")
    assert repository["isPublic"] is False
    for system in made.of("MysqlDbSystem"):
        [policy] = system["deletionPolicies"]
        assert policy["isDeleteProtected"] == keys["protect"]
        assert policy["automaticBackupRetention"] == ("RETAIN" if keys["keepData"] else "DELETE")
        assert system["nsgIds"] == ["ocid1.database-rules"]

    for system in made.of("DbSystem"):
        assert system["instanceCount"] == (2 if keys["highAvailability"] else 1)
        assert system["networkDetails"]["nsgIds"] == ["ocid1.database-rules"]


@pytest.mark.parametrize("compute", ["container", "scale", "vm"])
@pytest.mark.parametrize(("cpus", "memory"), [(1, 1), (1, 2), (1.3, 2.1), (3, 16)])
def test_a_second_up_replaces_nothing_for_a_number_that_the_provider_keeps_inexactly(
    compute: str, cpus: float, memory: float, tmp_path: Path
) -> None:
    _, made = deploy_oci({**_BASE, "compute": compute, "cpus": cpus, "memory": memory})
    cloud = open_cloud(tmp_path)
    for kind in (ContainerInstance, Instance, InstanceConfiguration):
        for inputs in made.of(kind.token.removeprefix("oci:")):
            stood = kind(Call(cloud, {}, "server"))
            assert [
                name for name, value in inputs.items() if not stood.same(name, value, value)
            ] == []


@pytest.mark.parametrize(
    ("was", "wanted", "sent", "rules"),
    [
        (None, False, "Disabled", 1),
        ("Disabled", False, "Disabled", 1),
        ("Disabled", True, "Enabled", 2),
        ("Enabled", True, "Enabled", 2),
        # OCI takes no `Disabled` of a bucket that ever kept versions, whose old ones still go.
        ("Enabled", False, "Suspended", 2),
        ("Suspended", False, "Suspended", 2),
    ],
)
def test_a_bucket_that_kept_versions_can_only_cease_to(
    was: str | None, wanted: bool, sent: str, rules: int
) -> None:
    plan, _ = deploy_oci(_BASE)
    there = {plan.names.bucket: was} if was else {"another": "Enabled"}
    _, made = deploy_oci({**_BASE, "versioning": wanted}, there)
    [bucket] = [each for each in made.of("Bucket") if each["name"] == plan.names.bucket]
    assert bucket["versioning"] == sent
    found = {each["bucket"]: each["rules"] for each in made.of("ObjectLifecyclePolicy")}
    assert len(found[plan.names.bucket]) == rules


def test_names_keep_within_their_limits() -> None:
    plan, made = deploy_oci({**_BASE, "name": "a-name-of-thirty-two-characters1"})
    assert len(plan.names.dns_label) <= 15
    assert plan.names.dns_label.isalnum()
    [vcn] = made.of("Vcn")
    assert vcn["dnsLabel"] == plan.names.dns_label
    other, _ = deploy_oci({**_BASE, "tenancyId": "ocid1.tenancy.oc1..other"})
    mine, _ = deploy_oci(_BASE)
    assert other.names.identity != mine.names.identity
