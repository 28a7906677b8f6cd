"""What a stack on Azure makes, whatever its keys say: on mocks, with no engine and no cloud."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from infra.plan.azure import AzurePlan
from tests.examples import examples
from tests.infra.recording import COPY, AzureMade, deploy_azure

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[3]
_SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
_PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
_ROLES = {
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "containerregistry:Registry",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "storage:BlobContainer",
    "db58b8e5-c6ad-4a2a-8342-4190687cbf4a": "storage:StorageAccount",
    "4633458b-17de-408a-b874-0445c86b69e6": "keyvault:Secret",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "keyvault:Vault",
}


@st.composite
def _keys(draw: st.DrawFn) -> dict[str, Any]:
    compute = draw(st.sampled_from(["container", "scale", "vm"]))
    private = draw(st.booleans())
    filtered = compute != "container" or private
    keys: dict[str, Any] = {
        "cloud": "azure",
        "subscriptionId": _SUBSCRIPTION,
        "region": "westeurope",
        "compute": compute,
        "private": private,
        "allowedCidrs": ["203.0.113.0/24"] if filtered else ["0.0.0.0/0"],
        "database": draw(st.sampled_from(["postgresql", "mysql"])),
        "keepData": draw(st.booleans()),
        "versioning": draw(st.booleans()),
        "imageBuild": draw(st.sampled_from(["docker", "acr"])),
    }
    if draw(st.booleans()):
        size = {"mysql": "Standard_D2ads_v5", "postgresql": "Standard_D2ds_v5"}[keys["database"]]
        keys |= {"highAvailability": True, "databaseSku": size}
    if draw(st.booleans()):
        keys["alertEmail"] = "ops@example.com"
    if draw(st.booleans()):
        keys["resourceGroup"] = "theirs"
    if filtered and draw(st.booleans()):
        group = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network"
        keys["virtualNetworkId"] = f"{group}/virtualNetworks/theirs"
    if compute == "vm":
        keys["sshPublicKey"] = _PUBLIC_KEY
        if draw(st.booleans()):
            keys["sshCidrs"] = ["203.0.113.7/32"]
    return keys


@settings(max_examples=examples(25), deadline=None, phases=[Phase.explicit, Phase.generate])
@given(keys=_keys())
def test_whatever_the_keys_nothing_is_open_and_no_right_too_wide(keys: dict[str, Any]) -> None:
    plan, made = deploy_azure(keys)
    _check_roles(made)
    _check_stores(plan, made)
    assert made.broken() == []
    assert made.protected() == made.holding_data()
    for group in made.of("network:NetworkSecurityGroup"):
        *allowed, others = sorted(group["securityRules"], key=lambda rule: rule["priority"])
        assert {rule["access"] for rule in allowed} == {"Allow"}
        assert (others["access"], others["sourceAddressPrefix"]) == ("Deny", "VirtualNetwork")
        ports = ["443", "31443"] if keys["compute"] == "scale" else ["443"]
        named = [(keys["allowedCidrs"], ports)]
        named += [(keys["sshCidrs"], ["22"])] if "sshCidrs" in keys else []
        assert named == [
            (rule.get("sourceAddressPrefixes") or [rule["sourceAddressPrefix"]], ports)
            for rule in allowed
            if rule["name"] in ("front", "ssh")
            for ports in [rule["destinationPortRanges"]]
        ]
    for app in made.of("app:ContainerApp"):
        ingress = app["configuration"]["ingress"]
        assert ingress["allowInsecure"] is False
        allowed = [r["ipAddressRange"] for r in ingress["ipSecurityRestrictions"]]
        assert allowed == [*keys["allowedCidrs"], "10.80.0.0/16", "100.100.0.0/17"]
        assert all("value" not in secret for secret in app["configuration"]["secrets"])
    for container in made.of("containerinstance:ContainerGroup"):
        assert [port["port"] for port in container["ipAddress"]["ports"]] == [443]
        assert container["ipAddress"]["type"] == ("Private" if keys["private"] else "Public")
        written = json.dumps(container["containers"])
        assert "Generated-0" not in written
    for made_vm in made.of("compute:VirtualMachine"):
        described = gzip.decompress(base64.b64decode(made_vm["userData"])).decode()
        assert "Generated-0" not in described
        assert made_vm["osProfile"]["linuxConfiguration"]["disablePasswordAuthentication"] is True
        addresses = [ip for ip in made.of("network:PublicIPAddress") if "dnsSettings" in ip]
        assert len(addresses) == (0 if keys["private"] else 1)
    own_group = [name for kind, name, _ in made.resources if kind == "resources:ResourceGroup"]
    assert own_group == ([] if "resourceGroup" in keys else ["group"])
    assert bool(made.of("monitor:ActionGroup")) == ("alertEmail" in keys)


def _check_roles(made: AzureMade) -> None:
    assignments = made.of("authorization:RoleAssignment")
    for assignment in assignments:
        role = assignment["roleDefinitionId"].rsplit("/", 1)[1]
        assert assignment["scope"].startswith(f"/providers/{_ROLES[role]}/")
        deploys = _ROLES[role] == "keyvault:Vault"
        assert assignment["principalId"] == ("deployer" if deploys else "principal")
    assert len({a["scope"] for a in assignments}) == len(assignments)


def _check_stores(plan: AzurePlan, made: AzureMade) -> None:
    containers = made.of("storage:BlobContainer")
    assert {each["containerName"] for each in containers} == {"artifacts", "backups"}
    assert {each["publicAccess"] for each in containers} == {"None"}
    [account] = made.of("storage:StorageAccount")
    assert account["allowBlobPublicAccess"] is False
    assert account["allowSharedKeyAccess"] is False
    assert account["minimumTlsVersion"] == "TLS1_2"
    private = plan.settings.private
    assert account["publicNetworkAccess"] == ("Disabled" if private else "Enabled")
    # Who has no way to the account gets nothing signed for it.
    scopes = [each["scope"] for each in made.of("authorization:RoleAssignment")]
    assert any("storage:StorageAccount" in scope for scope in scopes) is not private
    [registry] = made.of("containerregistry:Registry")
    assert registry["adminUserEnabled"] is False
    servers = [*made.of("dbforpostgresql:Server"), *made.of("dbformysql:Server")]
    [server] = servers
    assert bool(server.get("network")) == plan.settings.is_networked
    rules = [*made.of("dbforpostgresql:FirewallRule"), *made.of("dbformysql:FirewallRule")]
    assert bool(rules) != plan.settings.is_networked


def test_names_keep_within_their_limits_and_end_with_what_is_unique() -> None:
    keys = {
        "cloud": "azure",
        "subscriptionId": _SUBSCRIPTION,
        "region": "westeurope",
        "allowedCidrs": ["0.0.0.0/0"],
        "name": "a-name-of-thirty-two-characters1",
    }
    plan, made = deploy_azure(keys)
    [account] = made.of("storage:StorageAccount")
    assert account["accountName"] == plan.names.storage_account
    assert len(plan.names.storage_account) <= 24
    assert plan.names.storage_account.isalnum()
    other, _ = deploy_azure({**keys, "subscriptionId": _SUBSCRIPTION.replace("1", "9")})
    assert other.names.storage_account != plan.names.storage_account
    assert other.names.base == plan.names.base


def test_mysql_tells_case_apart_and_a_database_that_is_there_stays_as_it_is() -> None:
    """The engine is told not to change the collation of one that an earlier version has made."""
    keys = {
        "cloud": "azure",
        "subscriptionId": _SUBSCRIPTION,
        "region": "westeurope",
        "allowedCidrs": ["0.0.0.0/0"],
        "database": "mysql",
    }
    _, made = deploy_azure(keys)
    [database] = made.of("dbformysql:Database")
    assert (database["charset"], database["collation"]) == ("utf8mb4", "utf8mb4_bin")
    [told] = [r for r in made.registered if r.type.endswith(":dbformysql:Database")]
    assert told.options["ignoreChanges"] == ["charset", "collation"]


def test_an_image_by_digest_is_not_built_but_copied_to_the_stack_s_own_registry() -> None:
    keys = {
        "cloud": "azure",
        "subscriptionId": _SUBSCRIPTION,
        "region": "westeurope",
        "allowedCidrs": ["0.0.0.0/0"],
        "image": f"registry.example.com/trackstack@sha256:{'a' * 64}",
    }
    _, made = deploy_azure(keys)
    assert made.of("docker:index/image:Image") == []
    assert len(made.of("containerregistry:Registry")) == 1
    copied = [each["image"] for each in made.of("trackstack:CopiedImage")]
    assert keys["image"] in copied
    [group] = made.of("containerinstance:ContainerGroup")
    assert group["containers"][0]["image"] == COPY
