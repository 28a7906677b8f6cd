"""What the policies refuse and let pass; and that the engine asks them in a preview."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from infra.place import ROOT
from infra.policies.reading import UNKNOWN
from infra.policies.rules import RULES
from infra.rehearsal.sandbox import prepared

_ACCOUNT = {
    "allowBlobPublicAccess": False,
    "allowSharedKeyAccess": False,
    "minimumTlsVersion": "TLS1_2",
}
_INBOUND = {"name": "r", "direction": "Inbound", "access": "Allow"}
_RULE = "oci:Core/networkSecurityGroupSecurityRule:NetworkSecurityGroupSecurityRule"
_GROUP = "azure-native:containerinstance:ContainerGroup"
_ROLE = "azure-native:authorization:RoleAssignment"
_ONE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"
_MAY = "Allow dynamic-group d to manage objects in compartment id c"


def _problems(kind: str, props: dict[str, Any], is_protected: bool = True) -> list[str]:
    return [problem for rule in RULES for problem in rule.problems(kind, props, is_protected)]


def _variables(**values: str) -> dict[str, Any]:
    pairs = [{"name": name, "value": value} for name, value in values.items()]
    return {"containers": [{"environmentVariables": pairs}]}


def _ingress(source: str, port: int) -> dict[str, Any]:
    ports = {"destinationPortRange": {"min": port, "max": port}}
    return {"direction": "INGRESS", "source": source, "tcpOptions": ports}


@pytest.mark.parametrize(
    ("kind", "props"),
    [
        ("azure-native:storage:StorageAccount", _ACCOUNT),
        ("oci:ObjectStorage/bucket:Bucket", {"accessType": "NoPublicAccess"}),
        ("oci:ObjectStorage/bucket:Bucket", {"accessType": UNKNOWN}),
        (
            "azure-native:network:NetworkSecurityGroup",
            {
                "securityRules": [
                    {
                        **_INBOUND,
                        "sourceAddressPrefixes": ["0.0.0.0/0"],
                        "destinationPortRanges": ["443"],
                    }
                ]
            },
        ),
        (_RULE, _ingress("0.0.0.0/0", 443)),
        (_RULE, _ingress("10.0.0.0/8", 22)),
        (_RULE, {"direction": "INGRESS", "source": UNKNOWN}),
        (_GROUP, _variables(MLFLOW_TRACKING_TOKEN_FILE="/run/secrets/t", MLFLOW_PORT="5000")),
        (_ROLE, {"scope": _ONE}),
        ("oci:Identity/policy:Policy", {"statements": [f"{_MAY} where target.bucket.name = 'b'"]}),
        ("oci:Identity/policy:Policy", {"statements": UNKNOWN}),
        ("some:other:Thing", {"publicAccess": True}),
    ],
)
def test_what_is_right_passes(kind: str, props: dict[str, Any]) -> None:
    assert _problems(kind, props) == []


@pytest.mark.parametrize(
    ("kind", "props", "said"),
    [
        (
            "azure-native:storage:StorageAccount",
            {**_ACCOUNT, "allowBlobPublicAccess": True},
            "allowBlobPublicAccess is True; allowed: False",
        ),
        ("azure-native:storage:StorageAccount", {}, "minimumTlsVersion is None"),
        (
            "oci:ObjectStorage/bucket:Bucket",
            {"accessType": "ObjectRead"},
            "accessType is 'ObjectRead'",
        ),
        (
            "azure-native:network:NetworkSecurityGroup",
            {
                "securityRules": [
                    {**_INBOUND, "sourceAddressPrefix": "*", "destinationPortRange": "22"}
                ]
            },
            "a port other than 443",
        ),
        (_RULE, _ingress("0.0.0.0/0", 22), "a port other than 443"),
        (_RULE, {"direction": "INGRESS", "source": "0.0.0.0/0"}, "a port other than 443"),
        (
            "oci:Core/securityList:SecurityList",
            {"ingressSecurityRules": [{"protocol": "1", "icmpOptions": {"type": 8, "code": 0}}]},
            "lets something in",
        ),
        (
            "oci:Core/securityList:SecurityList",
            {"ingressSecurityRules": [{"source": "10.0.0.0/8"}]},
            "lets something in",
        ),
        (_GROUP, _variables(HF_TOKEN="hf_x"), "HF_TOKEN holds a secret"),
        (_GROUP, _variables(URI="postgresql://me:pw@host/db"), "URI holds a secret"),
        (
            "docker:index/container:Container",
            {"envs": ["A=1", "DB_PASSWORD=x"]},
            "DB_PASSWORD holds a secret",
        ),
        (_ROLE, {"scope": "/subscriptions/s/resourceGroups/g"}, "not on one resource"),
        ("oci:Identity/policy:Policy", {"statements": [_MAY]}, "names no resource"),
        (
            "oci:Identity/policy:Policy",
            {"statements": ["Allow group g to manage all-resources in tenancy"]},
            "too wide",
        ),
        ("azure-native:containerregistry:Registry", {"adminUserEnabled": True}, "adminUserEnabled"),
        (
            "azure-native:dbforpostgresql:FirewallRule",
            {"startIpAddress": "0.0.0.0", "endIpAddress": "255.255.255.255"},
            "beside those of Azure's own",
        ),
        ("oci:Core/instance:Instance", {}, "areLegacyImdsEndpointsDisabled"),
    ],
)
def test_what_is_wrong_is_told(kind: str, props: dict[str, Any], said: str) -> None:
    problems = _problems(kind, props)
    assert any(said in problem for problem in problems), problems


def test_what_holds_data_must_be_protected() -> None:
    kind, props = "oci:ObjectStorage/bucket:Bucket", {"accessType": "NoPublicAccess"}
    assert len(_problems(kind, props, is_protected=False)) == 1
    assert _problems(kind, props) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stack", "overrides", "said"),
    [
        ("oci-prod", {}, set[str]()),
        ("azure-prod", {}, set[str]()),
        ("local-container", {"environment": {"HF_TOKEN": "x"}}, {"no-secret-in-plain-text"}),
    ],
)
def test_a_preview_asks_the_policies(stack: str, overrides: dict[str, Any], said: set[str]) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="trackstack-") as folder,
        prepared(stack, Path(folder), overrides) as sandbox,
    ):
        try:
            pack = str(ROOT / "infra" / "policies" / "pack")
            done = sandbox.engine.run("preview", "--policy-pack", pack, check=False)
        finally:
            for cloud in sandbox.clouds:
                cloud.sweep()
    assert bool(done.code) is bool(said), done.output
    told = {rule.name for rule in RULES if f"[mandatory]  {rule.name} " in done.output}
    assert told == said, done.output
