"""What the rules check of Azure's resources."""

from collections.abc import Iterator

from infra.policies.reading import (
    ANYWHERE,
    OPEN_PORTS,
    Check,
    Props,
    all_of,
    known,
    must_be,
    named,
    variables,
)


def _security_rules(props: Props) -> Iterator[str]:
    for rule in known(props, "securityRules"):
        if rule.get("direction") != "Inbound" or rule.get("access") != "Allow":
            continue
        both = ("sourceAddressPrefix", "sourceAddressPrefixes")
        sources = {source for path in both for source in known(rule, path)}
        both = ("destinationPortRange", "destinationPortRanges")
        ports = {port for path in both for port in known(rule, path)}
        if sources & ANYWHERE and ports - OPEN_PORTS:
            yield f"rule {rule.get('name')} lets the whole internet reach a port other than 443"


def _narrow_role(props: Props) -> Iterator[str]:
    scope = props.get("scope")
    # /subscriptions/S/resourceGroups/G/providers/...: shorter is a group, or the subscription.
    if isinstance(scope, str) and "/providers/" not in scope:
        yield f"the role is given on {scope}, and not on one resource"


def _azure_only(props: Props) -> Iterator[str]:
    ends = {*known(props, "startIpAddress"), *known(props, "endIpAddress")}
    # To Azure, this means its own services.
    if ends - {"0.0.0.0"}:  # noqa: S104
        yield "the database lets in addresses beside those of Azure's own services"


CHECKS: dict[str, dict[str, Check]] = {
    "artifacts-are-private": {
        "azure-native:storage:StorageAccount": all_of(
            must_be("allowBlobPublicAccess", False),
            must_be("allowSharedKeyAccess", False),
            must_be("minimumTlsVersion", "TLS1_2", "TLS1_3"),
        ),
        "azure-native:storage:BlobContainer": must_be("publicAccess", "None", None),
    },
    "images-are-private": {
        "azure-native:containerregistry:Registry": all_of(
            must_be("adminUserEnabled", False), must_be("anonymousPullEnabled", False, None)
        ),
    },
    "no-port-is-open": {
        "azure-native:network:NetworkSecurityGroup": _security_rules,
        "azure-native:dbforpostgresql:FirewallRule": _azure_only,
        "azure-native:dbformysql:FirewallRule": _azure_only,
    },
    "no-secret-in-plain-text": {
        "azure-native:containerinstance:ContainerGroup": variables(
            named("containers.environmentVariables")
        ),
        "azure-native:app:ContainerApp": variables(named("template.containers.env")),
        "azure-native:app:Job": variables(named("template.containers.env")),
    },
    "rights-are-narrow": {"azure-native:authorization:RoleAssignment": _narrow_role},
    "machines-are-closed": {
        "azure-native:compute:VirtualMachine": must_be(
            "osProfile.linuxConfiguration.disablePasswordAuthentication", True
        ),
    },
}
