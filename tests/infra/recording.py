"""What a stack makes, recorded: real plan and resources on mocks, without engine and cloud."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest
from pulumi.runtime.mocks import MockMonitor

from infra.clouds import data
from infra.clouds.deploy import deploy
from infra.inputs import Secrets
from infra.plan import AzurePlan, OciPlan, Plan, make_plan
from infra.plan.place import Place
from infra.policies.rules import RULES
from infra.settings import parse

_ROOT = Path(__file__).parents[2]
# Marks what is secret on its way to the engine, sdk/go/common/resource/plugin/rpc.go.
_SIGNATURE = "4dabf18193072939515e22adb298388d"
COPY = f"own.azurecr.io/trackstack@sha256:{'a' * 64}"
_AZURE_OUTPUTS: dict[str, dict[str, Any]] = {
    "containerregistry:Registry": {"loginServer": "registry.azurecr.io"},
    "dbforpostgresql:Server": {"fullyQualifiedDomainName": "db.postgres.database.azure.com"},
    "dbformysql:Server": {"fullyQualifiedDomainName": "db.mysql.database.azure.com"},
    "managedidentity:UserAssignedIdentity": {
        "principalId": "principal",
        "clientId": "client",
        "tenantId": "tenant",
    },
    "keyvault:Secret": {
        "properties": {"secretUri": "https://vault/s", "secretUriWithVersion": "https://vault/s/1"}
    },
    "app:ManagedEnvironment": {"defaultDomain": "apps.example"},
    "operationalinsights:Workspace": {"customerId": "customer"},
    "docker:index/image:Image": {"repoDigest": f"registry.azurecr.io/t@sha256:{'0' * 64}"},
    "trackstack:GeneratedSecret": {"value": "Generated-0"},
    "trackstack:CopiedImage": {"reference": COPY},
    "containerregistry:TaskRun": {
        "runResult": {"outputImages": [{"digest": f"sha256:{'0' * 64}"}]}
    },
    "trackstack:CertificateAuthority": {"certificate": "CERTIFICATE", "key": "KEY"},
}
_OCI_OUTPUTS: dict[str, dict[str, Any]] = {
    "Core/publicIp:PublicIp": {"ipAddress": "192.0.2.9"},
    "Mysql/mysqlDbSystem:MysqlDbSystem": {"ipAddress": "10.80.64.10"},
    "Psql/dbSystem:DbSystem": {"networkDetails": {"primaryDbEndpointPrivateIp": "10.80.64.11"}},
    "Core/instance:Instance": {"privateIp": "10.80.0.21"},
    "NetworkLoadBalancer/networkLoadBalancer:NetworkLoadBalancer": {
        "ipAddresses": [{"ipAddress": "10.80.0.9"}]
    },
    "Vault/secret:Secret": {"currentVersionNumber": "1"},
    "Kms/vault:Vault": {"managementEndpoint": "https://vault.example"},
    "docker:index/image:Image": {"repoDigest": f"fra.ocir.io/n/t@sha256:{'0' * 64}"},
    "trackstack:GeneratedSecret": {"value": "Generated-0"},
    "trackstack:CertificateAuthority": {"certificate": "CERTIFICATE", "key": "KEY"},
}
_LOCAL_OUTPUTS: dict[str, dict[str, Any]] = {
    "docker:index/image:Image": {"repoDigest": f"sha256:{'0' * 64}"},
    "trackstack:GeneratedSecret": {"value": "Generated-0"},
    "trackstack:CertificateAuthority": {"certificate": "CERTIFICATE", "key": "KEY"},
}


class _Monitor(MockMonitor):
    """Notes the options of what is registered, which mocks are not told."""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        made = cast("Made", self.mocks)
        made.options[request.type, request.name] = (request.protect, request.retainOnDelete)
        # urn:pulumi:STACK::PROJECT::TYPES::NAME
        made.needs[request.name] = {urn.rpartition("::")[2] for urn in request.dependencies}
        made.ignored[request.name] = list(request.ignoreChanges)
        return cast("Any", super()).RegisterResource(request)


class Made(pulumi.runtime.Mocks):
    """Records what is registered: (type, name, inputs). ``prefix`` begins the cloud's types.

    ``options`` holds by type and name whether it is protected, and retained; ``needs`` the names
    of what a resource depends on by its own, and ``ignored`` the properties that stay as they are.
    """

    prefix = ""
    outputs: Mapping[str, Mapping[str, Any]] = _LOCAL_OUTPUTS

    def __init__(self) -> None:
        self.resources: list[tuple[str, str, dict[str, Any]]] = []
        self.options: dict[tuple[str, str], tuple[bool, bool]] = {}
        self.needs: dict[str, set[str]] = {}
        self.ignored: dict[str, list[str]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        kind = args.typ.removeprefix(self.prefix).removeprefix("pulumi-python:dynamic/")
        inputs = cast("dict[str, Any]", cast("Any", args).inputs)
        self.resources.append((kind, args.name, inputs))
        id_, known = self.known(kind, args.name, inputs)
        return id_, {**inputs, **known, **self.outputs.get(kind, {})}

    def known(self, kind: str, name: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The ID of a resource, and what the cloud alone decides of it."""
        return f"id-of-{kind}-{name}", {}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        return {}

    def broken(self) -> list[str]:
        """What the policies say."""
        return [
            problem
            for kind, _, inputs in self.resources
            for rule in RULES
            for problem in rule.problems(f"{self.prefix}{kind}", inputs, is_protected=True)
        ]

    def protected(self) -> set[tuple[str, str]]:
        return {which for which, (is_protected, _) in self.options.items() if is_protected}

    def holding_data(self) -> set[tuple[str, str]]:
        """What holds data or empties it, by the one list of that."""
        return {one for one in self.options if data.holds_data(*one) or data.emptied(*one)}

    def opened(self, kind: str) -> list[dict[str, Any]]:
        """As ``of``, with what is secret in plain text."""
        return [_opened(inputs) for inputs in self.of(kind)]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The inputs of all resources of a type, which may be its last word alone."""
        return [
            inputs
            for found, _, inputs in self.resources
            if found == kind or (":" not in kind and found.endswith(f":{kind}"))
        ]


class AzureMade(Made):
    prefix = "azure-native:"
    outputs = _AZURE_OUTPUTS

    def known(self, kind: str, name: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        names = [v for k, v in inputs.items() if k.endswith("Name") and k != "resourceGroupName"]
        known: dict[str, Any] = {"name": str(names[0]) if len(names) == 1 else name}
        if "identity" in inputs:
            # Asked for as a list, identities come back as a map.
            known["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {}}
        return f"/providers/{kind}/{name}", known

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        upload = {"uploadUrl": "https://upload.example", "relativePath": "source.tar.gz"}
        return {"token": "a token", "primarySharedKey": "a key", **upload}


class OciMade(Made):
    prefix = "oci:"
    outputs = _OCI_OUTPUTS

    def known(self, kind: str, name: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        return f"ocid1.{name}", {}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        service = {"id": "service", "cidrBlock": "all-fra", "name": "", "description": ""}
        return {
            "namespace": "tenancy-namespace",
            "services": [service],
            "availabilityDomains": [
                {"name": f"AD-{n}", "id": "", "compartmentId": ""} for n in "123"
            ],
            "images": [{"id": "ocid1.image"}],
            "privateIpAddress": "10.80.0.20",
        }


def deploy_azure(keys: Mapping[str, Any]) -> tuple[AzurePlan, AzureMade]:
    """Plan and resources of a stack on Azure."""
    from infra.clouds.azure import build, image

    made = AzureMade()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "exchange", _answer("refresh"))
        patch.setattr(build, "_upload", _uploaded)
        plan = _deploy("azure-test", keys, made)
    assert isinstance(plan, AzurePlan)
    return plan, made


def deploy_oci(keys: Mapping[str, Any]) -> tuple[OciPlan, OciMade]:
    """Plan and resources of a stack on OCI."""
    from infra.clouds.oci import image

    made = OciMade()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "exchange", _answer("token"))
        plan = _deploy("oci-test", keys, made)
    assert isinstance(plan, OciPlan)
    return plan, made


def deploy_here(keys: Mapping[str, Any]) -> tuple[Plan, Made]:
    """Plan and resources of a stack on this machine."""
    made = Made()
    return _deploy("test", keys, made), made


def _deploy(stack: str, keys: Mapping[str, Any], made: Made) -> Plan:
    given = {k: v if isinstance(v, str) else json.dumps(v) for k, v in keys.items()}
    plan = make_plan(parse(given), Place(stack, _ROOT, frozenset({"registryPassword"})))
    with pytest.MonkeyPatch.context() as patch:
        # A dynamic provider that fails switches stack traces off, and the SDK reads its own.
        patch.delattr(sys, "tracebacklimit", raising=False)
        pulumi.runtime.set_mocks(made, project="trackstack", stack=stack, monitor=_Monitor(made))
        cast("Any", pulumi.runtime).test(lambda: deploy(plan, Secrets()))()
    return plan


def _opened(value: Any) -> Any:
    if isinstance(value, list):
        return [_opened(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    known = cast("dict[str, Any]", value)
    if _SIGNATURE in known:
        return _opened(known["value"])
    return {key: _opened(each) for key, each in known.items()}


def _answer(text: str) -> Callable[..., str]:
    def answer(*_: object) -> str:
        return text

    return answer


def _uploaded(_plan: Any, told: Any) -> str:
    return told.relative_path
