"""Azure's and OCI's rehearsals on the real engine: one stack with a part of each."""

from dataclasses import replace
from pathlib import Path

import pytest

from infra.rehearsal.azure import cloud as azure
from infra.rehearsal.azure.identity import RoleAssignment
from infra.rehearsal.engine import Engine
from infra.rehearsal.oci import cloud as oci
from infra.rehearsal.oci.ids import TENANCY
from infra.rehearsal.provider.resource import Call
from infra.rehearsal.provider.serving import serving

_PROGRAM = f"""
import pulumi
from pulumi_azure_native import authorization, keyvault, managedidentity, network
from pulumi_azure_native import resources, storage
from pulumi_oci import core, identity, objectstorage

word = pulumi.Output.secret("open-sesame")
group = resources.ResourceGroup("group", location="westeurope")
net = network.VirtualNetwork("net", resource_group_name=group.name,
    address_space=network.AddressSpaceArgs(address_prefixes=["10.0.0.0/16"]))
subnet = network.Subnet("subnet", resource_group_name=group.name, virtual_network_name=net.name,
    address_prefix="10.0.1.0/24")
who = managedidentity.UserAssignedIdentity("who", resource_group_name=group.name)
account = storage.StorageAccount("account", resource_group_name=group.name, kind="StorageV2",
    sku=storage.SkuArgs(name="Standard_LRS"), account_name="rehearsedmodels")
reader = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
authorization.RoleAssignment("reads", principal_id=who.principal_id, scope=account.id,
    principal_type="ServicePrincipal",
    role_definition_id=f"/providers/Microsoft.Authorization/roleDefinitions/{{reader}}")
vault = keyvault.Vault("vault", resource_group_name=group.name, vault_name="rehearsed-vault",
    properties=keyvault.VaultPropertiesArgs(
        tenant_id=who.tenant_id, sku=keyvault.SkuArgs(family="A", name="standard")))
keyvault.Secret("secret", resource_group_name=group.name, vault_name=vault.name,
    secret_name="word", properties=keyvault.SecretPropertiesArgs(value=word))

team = identity.Compartment("team", compartment_id="{TENANCY}", description="d", name="team")
vcn = core.Vcn("vcn", compartment_id=team.id, cidr_blocks=["10.0.0.0/16"])
core.Subnet("inner", compartment_id=team.id, vcn_id=vcn.id, cidr_block="10.0.1.0/24")
objectstorage.Bucket("bucket", compartment_id=team.id, namespace="rehearsal", name="models")
servers = identity.DynamicGroup("servers", compartment_id="{TENANCY}", description="d",
    name="servers", matching_rule=pulumi.Output.concat(
        "ALL {{resource.compartment.id = '", team.id, "'}}"))
identity.Policy("may", compartment_id=team.id, description="d", statements=[pulumi.Output.concat(
    "Allow dynamic-group ", servers.name, " to manage objects in compartment id ", team.id)])
pulumi.export("blob", account.primary_endpoints.blob)
pulumi.export("vault", vault.properties.vault_uri)
"""


@pytest.mark.slow
def test_parts_of_two_clouds_come_up_stay_and_go(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: rehearsal\nruntime: python\n")
    main = project / "__main__.py"
    main.write_text(_PROGRAM)
    clouds = azure.open_cloud(tmp_path / "clouds"), oci.open_cloud(tmp_path / "clouds")
    engine = Engine(project, tmp_path / "pulumi")
    with serving(*clouds) as providers:
        engine = replace(engine, providers=providers)
        engine.run("up")
        made = engine.resources()
        assert made["group"]["outputs"]["name"].startswith("group")
        assert engine.outputs() == {
            "blob": "https://rehearsedmodels.blob.core.windows.net/",
            "vault": "https://rehearsed-vault.vault.azure.net/",
        }
        assert "open-sesame" not in engine.run("stack", "export").stdout
        engine.run("refresh", "--expect-no-changes")

        # Another region is another network; Azure's fixed names do not survive two at a time.
        main.write_text(
            _PROGRAM.replace('"10.0.1.0/24")\nwho', '"10.1.1.0/24")\nwho').replace(
                "rehearsedmodels", "Rehearsed"
            )
        )
        refused = engine.run("up", "--continue-on-error", check=False)
        assert "NetcfgSubnetRangeOutsideVnet" in refused.output
        assert "AccountNameInvalid" in refused.output
        engine.destroy()
    assert [record.id for cloud in clouds for record in cloud.store.all()] == []


def test_a_role_assignment_keeps_its_name_where_the_resource_moves_to_another_parent(
    tmp_path: Path,
) -> None:
    """As the provider does it, which makes a name up only where none is known
    (pulumi-azure-native, provider/pkg/provider/autonaming_test.go).
    """
    cloud = azure.open_cloud(tmp_path)
    before, after = (
        RoleAssignment(Call(cloud, {}, "reads", f"urn:pulumi:s::p::{kind}::reads"))
        for kind in (RoleAssignment.token, f"trackstack:azure:Identity${RoleAssignment.token}")
    )
    made, _ = before.checked({}, {}, b"seed")
    moved, _ = after.checked({}, made, b"another seed")
    assert moved["roleAssignmentName"] == made["roleAssignmentName"]
    again, _ = before.checked({}, {}, b"another seed")
    assert again["roleAssignmentName"] != made["roleAssignmentName"]
