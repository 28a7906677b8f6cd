"""What the rules check of OCI's resources."""

from collections.abc import Iterator, Mapping
from typing import cast

from infra.policies.reading import (
    ANYWHERE,
    OPEN_PORTS,
    Check,
    Props,
    all_of,
    known,
    mapped,
    must_be,
    variables,
)

# What has no target: an agent of OCI's asks for its own configuration.
_BY_NAME = " to {unified_agent_config_generate} in "
_LAUNCH = "instanceDetails.launchDetails"


def _group_rule(props: Props) -> Iterator[str]:
    ports = {str(p) for p in known(props, "tcpOptions.destinationPortRange.min")} or {"all"}
    is_open = props.get("direction") == "INGRESS" and props.get("source") in ANYWHERE
    if is_open and ports - OPEN_PORTS:
        yield "the rule lets the whole internet reach a port other than 443"


def _list_rules(props: Props) -> Iterator[str]:
    for rule in known(props, "ingressSecurityRules"):
        if isinstance(rule, Mapping) and _tells_of_size(cast("Props", rule)):
            continue
        yield "a security list lets something in; rules of security groups say it for one part"


def _tells_of_size(rule: Props) -> bool:
    """Whether it only lets in word of a packet that was too large for its way: ICMP 3, code 4."""
    told = cast("Props", rule.get("icmpOptions") or {})
    return rule.get("protocol") == "1" and (told.get("type"), told.get("code")) == (3, 4)


def _narrow_policy(props: Props) -> Iterator[str]:
    for statement in known(props, "statements"):
        text = str(statement).lower()
        if " any-user " in text or "all-resources" in text or " in tenancy" in text:
            yield f"the statement is too wide: {statement}"
        elif " where " not in text and _BY_NAME not in text:
            yield f"the statement names no resource of the stack's own: {statement}"


CHECKS: dict[str, dict[str, Check]] = {
    "artifacts-are-private": {
        "oci:ObjectStorage/bucket:Bucket": must_be("accessType", "NoPublicAccess"),
    },
    "images-are-private": {
        "oci:Artifacts/containerRepository:ContainerRepository": must_be("isPublic", False),
    },
    "no-port-is-open": {
        "oci:Core/networkSecurityGroupSecurityRule:NetworkSecurityGroupSecurityRule": _group_rule,
        "oci:Core/securityList:SecurityList": _list_rules,
    },
    "no-secret-in-plain-text": {
        "oci:ContainerEngine/containerInstance:ContainerInstance": variables(
            mapped("containers.environmentVariables")
        ),
    },
    "rights-are-narrow": {"oci:Identity/policy:Policy": _narrow_policy},
    "machines-are-closed": {
        "oci:Core/instance:Instance": all_of(
            must_be("instanceOptions.areLegacyImdsEndpointsDisabled", True),
            must_be("createVnicDetails.assignPublicIp", "false"),
        ),
        "oci:Core/instanceConfiguration:InstanceConfiguration": all_of(
            must_be(f"{_LAUNCH}.instanceOptions.areLegacyImdsEndpointsDisabled", True),
            must_be(f"{_LAUNCH}.createVnicDetails.assignPublicIp", False),
        ),
    },
}
