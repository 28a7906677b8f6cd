"""What single parts of a stack on OCI are made from: images, the vault, the load balancer."""

import base64
import gzip
import json
from typing import Any, cast

import pytest

from tests.infra.recording import COPY, deploy_oci
from tests.infra.stack_files import OCI

pytestmark = pytest.mark.slow


def test_an_image_by_digest_is_not_built_but_copied_to_the_stack_s_own_repository() -> None:
    keys = {**OCI, "image": f"registry.example.com/trackstack@sha256:{'a' * 64}"}
    _, made = deploy_oci(keys)
    assert made.of("Image") == []
    assert len(made.of("ContainerRepository")) == 1
    assert keys["image"] in [each["image"] for each in made.of("CopiedImage")]


@pytest.mark.parametrize("private", [True, False])
def test_a_load_balancer_that_holds_the_address_goes_before_the_next_takes_it(
    private: bool,
) -> None:
    _, made = deploy_oci({**OCI, "private": private})
    assert made.options("balancer")["deleteBeforeReplace"] is not private


def test_an_existing_vault_keeps_secrets_under_names_that_are_free() -> None:
    """A secret that went keeps its name for a month, which a vault of the stack's own has not."""
    given = "ocid1.vault.oc1.eu-frankfurt-1.theirs"
    _, made = deploy_oci({**OCI, "compute": "vm", "vaultId": given})
    assert made.of("Kms/vault:Vault") == []
    [key] = made.of("Key")
    assert key["managementEndpoint"] == "https://given.example"
    kept = made.of("Secret")
    assert {each["vaultId"] for each in kept} == {given}
    _, again = deploy_oci({**OCI, "compute": "vm", "vaultId": given})
    names = [{each["secretName"] for each in of.of("Secret")} for of in (made, again)]
    assert names[0].isdisjoint(names[1])
    # Each for as long as the secret is there.
    noted = [one for one in made.registered if one.type.endswith("trackstack:Noted")]
    assert {one.name for one in noted} == {
        f"{one.name}-name" for one in made.registered if one.type.endswith(":Secret")
    }


def test_the_proxy_of_an_instance_is_pulled_from_the_stack_s_own_repository() -> None:
    """Docker Hub refuses pulls that many share an address with: sonikro/TF2-QuickServer#187."""
    _, made = deploy_oci(OCI)
    [copied] = made.of("CopiedImage")
    assert copied["image"].startswith("docker.io/library/caddy:")
    [instance] = made.of("ContainerInstance")
    [front] = [each for each in instance["containers"] if each["displayName"] == "front"]
    assert front["imageUrl"] == COPY
    _, made = deploy_oci({**OCI, "compute": "vm"})
    assert made.of("CopiedImage") == []


def test_a_newer_product_changes_a_machine_in_place_and_a_pool_s_by_other_ones() -> None:
    """Where a machine is begun with another agent, OCI's provider makes another machine."""
    _, made = deploy_oci({**OCI, "compute": "vm"})
    assert made.options("server")["ignoreChanges"] == [
        "sourceDetails.sourceId",
        "metadata.user_data",
    ]
    described = _described(made.of("Instance")[0])
    assert "agent.py" in described["files"]
    unit = described["units"]["trackstack-agent.service"]
    assert "ExecStart=/usr/bin/python3 -I /etc/trackstack/agent.py oci\n" in unit
    assert described["trusted"] == []
    _, made = deploy_oci({**OCI, "compute": "scale"})
    [configuration] = made.of("InstanceConfiguration")
    described = _described(configuration["instanceDetails"]["launchDetails"])
    assert "agent.py" not in described["files"]


def _described(instance: dict[str, Any]) -> dict[str, Any]:
    text = gzip.decompress(base64.b64decode(instance["metadata"]["trackstack"]))
    return cast("dict[str, Any]", json.loads(text))
