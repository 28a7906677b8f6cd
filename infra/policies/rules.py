"""The rules, as functions over a resource's type and inputs. Pure.

What a preview cannot know yet is UNKNOWN in the inputs, and is judged by the next one.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from infra.clouds import data

Props = Mapping[str, Any]
UNKNOWN = object()
_ANYWHERE = frozenset({"*", "0.0.0.0/0", "Internet", "::/0"})
# The proxy's, and that of Container Apps' own proxy.
_OPEN_PORTS = frozenset({"443", "31443"})
_SECRET_NAME = re.compile(r"(TOKEN|PASSWORD|SECRET|API_KEY|PRIVATE_KEY)$")
_LOGIN_IN_URI = re.compile(r"://[^/@\s:]+:[^/@\s*]+@")


@dataclass(frozen=True)
class Rule:
    """``checks`` are by resource type: the problems with the inputs of one."""

    name: str
    description: str
    checks: Mapping[str, Callable[[Props], Iterator[str]]]
    unless_protected: bool = False

    def problems(self, kind: str, props: Props, is_protected: bool) -> Iterator[str]:
        """What is wrong with a resource; ``is_protected`` by the engine's option `protect`."""
        if kind in self.checks and not (self.unless_protected and is_protected):
            yield from self.checks[kind](props)


def _of(props: Props, path: str) -> list[Any]:
    """All values at a dotted path, through lists; UNKNOWN where one on the way is."""
    found: list[Any] = [props]
    for name in path.split("."):
        below = [one if one is UNKNOWN else one.get(name) for one in found if one is not None]
        found = [one for value in below for one in _each(value)]
    return [one for one in found if one is not None]


def _each(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _known(props: Props, path: str) -> list[Any]:
    return [one for one in _of(props, path) if one is not UNKNOWN]


def _must_be(path: str, *allowed: object) -> Callable[[Props], Iterator[str]]:
    """A value that is given must be one of these; where it is not given, the first is needed."""

    def check(props: Props) -> Iterator[str]:
        for value in _of(props, path) or [None]:
            if value is not UNKNOWN and value not in allowed:
                yield f"{path} is {value!r}; allowed: {', '.join(map(repr, allowed))}"

    return check


def _all(*checks: Callable[[Props], Iterator[str]]) -> Callable[[Props], Iterator[str]]:
    def check(props: Props) -> Iterator[str]:
        for one in checks:
            yield from one(props)

    return check


def _security_rules(props: Props) -> Iterator[str]:
    for rule in _known(props, "securityRules"):
        if rule.get("direction") != "Inbound" or rule.get("access") != "Allow":
            continue
        both = ("sourceAddressPrefix", "sourceAddressPrefixes")
        sources = {source for path in both for source in _known(rule, path)}
        both = ("destinationPortRange", "destinationPortRanges")
        ports = {port for path in both for port in _known(rule, path)}
        if sources & _ANYWHERE and ports - _OPEN_PORTS:
            yield f"rule {rule.get('name')} lets the whole internet reach a port other than 443"


def _group_rule(props: Props) -> Iterator[str]:
    ports = {str(p) for p in _known(props, "tcpOptions.destinationPortRange.min")} or {"all"}
    is_open = props.get("direction") == "INGRESS" and props.get("source") in _ANYWHERE
    if is_open and ports - _OPEN_PORTS:
        yield "the rule lets the whole internet reach a port other than 443"


def _list_rules(props: Props) -> Iterator[str]:
    if props.get("ingressSecurityRules"):
        yield "a security list lets something in; rules of security groups say it for one part"


def _variables(pairs: Callable[[Props], Iterator[tuple[str, Any]]]) -> Any:
    def check(props: Props) -> Iterator[str]:
        for name, value in pairs(props):
            if not isinstance(value, str) or not value:
                continue
            if _SECRET_NAME.search(name) or _LOGIN_IN_URI.search(value):
                yield f"variable {name} holds a secret in plain text; hand it over as a file"

    return check


def _named(path: str) -> Callable[[Props], Iterator[tuple[str, Any]]]:
    def pairs(props: Props) -> Iterator[tuple[str, Any]]:
        for entry in _known(props, path):
            yield str(entry.get("name")), entry.get("value")

    return pairs


def _mapped(path: str) -> Callable[[Props], Iterator[tuple[str, Any]]]:
    def pairs(props: Props) -> Iterator[tuple[str, Any]]:
        for variables in _known(props, path):
            yield from cast("dict[str, Any]", variables).items()

    return pairs


def _lines(path: str) -> Callable[[Props], Iterator[tuple[str, Any]]]:
    def pairs(props: Props) -> Iterator[tuple[str, Any]]:
        for line in _known(props, path):
            name, _, value = str(line).partition("=")
            yield name, value

    return pairs


def _narrow_role(props: Props) -> Iterator[str]:
    scope = props.get("scope")
    # /subscriptions/S/resourceGroups/G/providers/...: shorter is a group, or the subscription.
    if isinstance(scope, str) and "/providers/" not in scope:
        yield f"the role is given on {scope}, and not on one resource"


def _narrow_policy(props: Props) -> Iterator[str]:
    for statement in _known(props, "statements"):
        text = str(statement).lower()
        if " any-user " in text or "all-resources" in text or " in tenancy" in text:
            yield f"the statement is too wide: {statement}"
        elif " where " not in text:
            yield f"the statement names no resource of the stack's own: {statement}"


def _azure_only(props: Props) -> Iterator[str]:
    ends = {*_known(props, "startIpAddress"), *_known(props, "endIpAddress")}
    # To Azure, this means its own services.
    if ends - {"0.0.0.0"}:  # noqa: S104
        yield "the database lets in addresses beside those of Azure's own services"


def _not_protected(_props: Props) -> Iterator[str]:
    yield "it holds data and is not protected; register it with the `data` options of its part"


_LAUNCH = "instanceDetails.launchDetails"
# Of a volume, its name says whether it holds data, which rules do not see.
_DATA = sorted(data.TYPES - {data.VOLUME})

RULES = (
    Rule(
        "artifacts-are-private",
        "Nobody reads artifacts without a login, and there are no shared keys.",
        {
            "azure-native:storage:StorageAccount": _all(
                _must_be("allowBlobPublicAccess", False),
                _must_be("allowSharedKeyAccess", False),
                _must_be("minimumTlsVersion", "TLS1_2", "TLS1_3"),
            ),
            "azure-native:storage:BlobContainer": _must_be("publicAccess", "None", None),
            "oci:ObjectStorage/bucket:Bucket": _must_be("accessType", "NoPublicAccess"),
        },
    ),
    Rule(
        "images-are-private",
        "Registries ask who pulls, and know nobody but the cloud's own identities.",
        {
            "azure-native:containerregistry:Registry": _all(
                _must_be("adminUserEnabled", False), _must_be("anonymousPullEnabled", False, None)
            ),
            "oci:Artifacts/containerRepository:ContainerRepository": _must_be("isPublic", False),
        },
    ),
    Rule(
        "no-port-is-open",
        "The whole internet reaches the proxy's port at most.",
        {
            "azure-native:network:NetworkSecurityGroup": _security_rules,
            "oci:Core/networkSecurityGroupSecurityRule:NetworkSecurityGroupSecurityRule": (
                _group_rule
            ),
            "oci:Core/securityList:SecurityList": _list_rules,
            "azure-native:dbforpostgresql:FirewallRule": _azure_only,
            "azure-native:dbformysql:FirewallRule": _azure_only,
        },
    ),
    Rule(
        "no-secret-in-plain-text",
        "Secrets come as files, never as environment variables.",
        {
            "azure-native:containerinstance:ContainerGroup": _variables(
                _named("containers.environmentVariables")
            ),
            "azure-native:app:ContainerApp": _variables(_named("template.containers.env")),
            "azure-native:app:Job": _variables(_named("template.containers.env")),
            "oci:ContainerEngine/containerInstance:ContainerInstance": _variables(
                _mapped("containers.environmentVariables")
            ),
            "docker:index/container:Container": _variables(_lines("envs")),
        },
    ),
    Rule(
        "rights-are-narrow",
        "Identities may do what they need on the stack's own resources, and nothing else.",
        {
            "azure-native:authorization:RoleAssignment": _narrow_role,
            "oci:Identity/policy:Policy": _narrow_policy,
        },
    ),
    Rule(
        "machines-are-closed",
        "No password logins, and no instance metadata without a header (IMDSv2).",
        {
            "azure-native:compute:VirtualMachine": _must_be(
                "osProfile.linuxConfiguration.disablePasswordAuthentication", True
            ),
            "oci:Core/instance:Instance": _all(
                _must_be("instanceOptions.areLegacyImdsEndpointsDisabled", True),
                _must_be("createVnicDetails.assignPublicIp", "false"),
            ),
            "oci:Core/instanceConfiguration:InstanceConfiguration": _all(
                _must_be(f"{_LAUNCH}.instanceOptions.areLegacyImdsEndpointsDisabled", True),
                _must_be(f"{_LAUNCH}.createVnicDetails.assignPublicIp", False),
            ),
        },
    ),
    Rule(
        "data-is-protected",
        "The engine refuses to delete or replace what holds data.",
        dict.fromkeys(_DATA, _not_protected),
        unless_protected=True,
    ),
)
