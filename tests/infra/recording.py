"""What a stack makes, recorded: real plan and resources on mocks, without engine and cloud."""

import json
from collections.abc import Mapping
from typing import Any, cast

import pulumi

from infra.clouds import data
from infra.place import ROOT
from infra.plan import Plan, make_plan
from infra.plan.azure import AzurePlan
from infra.plan.oci import OciPlan
from infra.plan.place import Place
from infra.policies.rules import RULES
from infra.rehearsal.dump.recording import Registered, opened, record
from infra.settings import parse

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
    "app:ManagedEnvironment": {"defaultDomain": "apps.example", "staticIp": "10.80.0.9"},
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
    "trackstack:CopiedImage": {"reference": COPY},
    "trackstack:CertificateAuthority": {"certificate": "CERTIFICATE", "key": "KEY"},
}
# Of the tenancy; its stacks are in another.
HOME_REGION = "us-ashburn-1"
_SUBSCRIBED = {"regionKey": "", "state": "READY", "tenancyId": ""}
_LOCAL_OUTPUTS: dict[str, dict[str, Any]] = {
    "docker:index/image:Image": {"repoDigest": f"sha256:{'0' * 64}"},
    "trackstack:GeneratedSecret": {"value": "Generated-0"},
    "trackstack:CertificateAuthority": {"certificate": "CERTIFICATE", "key": "KEY"},
}


class Made(pulumi.runtime.Mocks):
    """Records what is registered: (type, name, inputs). ``prefix`` begins the cloud's types.

    ``registered`` has them with their options, components among them.
    """

    prefix = ""
    outputs: Mapping[str, Mapping[str, Any]] = _LOCAL_OUTPUTS

    def __init__(self) -> None:
        self.resources: list[tuple[str, str, dict[str, Any]]] = []
        self.registered: list[Registered] = []

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
        """The types and names of what the engine refuses to delete."""
        return {(one.type, one.name) for one in self.registered if one.options["protect"]}

    def holding_data(self) -> set[tuple[str, str]]:
        """What holds data or empties it, by the one list of that."""
        every = {(one.type, one.name) for one in self.registered}
        return {one for one in every if data.holds_data(*one) or data.emptied(*one)}

    def options(self, name: str) -> dict[str, Any]:
        """The options of the one resource of this name that is no component."""
        [found] = [
            one.options for one in self.registered if one.name == name and not one.is_component
        ]
        return found

    def opened(self, kind: str) -> list[dict[str, Any]]:
        """As ``of``, with what is secret in plain text."""
        return [opened(inputs) for inputs in self.of(kind)]

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
        who = {"objectId": "deployer", "clientId": "", "subscriptionId": "", "tenantId": ""}
        return {"token": "a token", "primarySharedKey": "a key", **who, **upload}


class OciMade(Made):
    """``buckets`` are those that are there before, with their versioning."""

    prefix = "oci:"
    outputs = _OCI_OUTPUTS

    def __init__(self, buckets: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.buckets = dict(buckets or {})

    def known(self, kind: str, name: str, inputs: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        return f"ocid1.{name}", {}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        service = {"id": "service", "cidrBlock": "all-fra", "name": "", "description": ""}
        return {
            "namespace": "tenancy-namespace",
            "regionSubscriptions": [
                {**_SUBSCRIBED, "regionName": "eu-frankfurt-1", "isHomeRegion": False},
                {**_SUBSCRIBED, "regionName": HOME_REGION, "isHomeRegion": True},
            ],
            "services": [service],
            "availabilityDomains": [
                {"name": f"AD-{n}", "id": "", "compartmentId": ""} for n in "123"
            ],
            "images": [{"id": "ocid1.image"}],
            "bucketSummaries": [{"name": name} for name in self.buckets],
            "versioning": next(iter(self.buckets.values()), ""),
            "privateIpAddress": "10.80.0.20",
            "managementEndpoint": "https://given.example",
        }


def deploy_azure(keys: Mapping[str, Any]) -> tuple[AzurePlan, AzureMade]:
    """Plan and resources of a stack on Azure."""
    made = AzureMade()
    plan = _deploy("azure-test", keys, made)
    assert isinstance(plan, AzurePlan)
    return plan, made


def deploy_oci(
    keys: Mapping[str, Any], buckets: Mapping[str, str] | None = None
) -> tuple[OciPlan, OciMade]:
    """Plan and resources of a stack on OCI; ``buckets`` as of OciMade."""
    made = OciMade(buckets)
    plan = _deploy("oci-test", keys, made)
    assert isinstance(plan, OciPlan)
    return plan, made


def deploy_here(keys: Mapping[str, Any]) -> tuple[Plan, Made]:
    """Plan and resources of a stack on this machine."""
    made = Made()
    return _deploy("test", keys, made), made


def _deploy(stack: str, keys: Mapping[str, Any], made: Made) -> Plan:
    given = {k: v if isinstance(v, str) else json.dumps(v) for k, v in keys.items()}
    plan = make_plan(parse(given), Place(stack, ROOT, frozenset({"registryPassword"})))
    made.registered = record(plan, stack, made)
    return plan
