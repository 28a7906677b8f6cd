"""Policies weighed: what a principal may do, by its dynamic groups.

https://docs.oracle.com/iaas/Content/Identity/policysyntax/policy-syntax.htm
"""

import re
from collections.abc import Mapping

from infra.rehearsal.oci.access.policies import DYNAMIC_GROUP, VERBS, Statement, Verb, statements
from infra.rehearsal.oci.ids import TENANCY
from infra.rehearsal.provider.resource import Cloud

# Who deploys, and may do all.
DEPLOYER = "ocid1.user.oc1..deployer"
_FAMILIES = {
    "objects": "object-family",
    "buckets": "object-family",
    "secret-bundles": "secret-family",
    "repos": "repos",
    "metrics": "metrics",
    "log-content": "log-content",
}
# Permission -> the verb and resource that have it; those beside are granted by their names alone.
_PERMISSIONS: dict[str, tuple[Verb, str]] = {
    "LOG_CONTENT_PUSH": ("use", "log-content"),
    "UNIFIED_AGENT_CONFIG_GENERATE": ("use", "log-content"),
}
_TERM = re.compile(r"([\w.\-]+)\s*=\s*'([^']*)'")


def holds(condition: str, facts: Mapping[str, str]) -> bool:
    """Whether a condition or matching rule is true: terms, alone or in ALL {} or ANY {}."""
    terms = _TERM.findall(condition)
    true = [facts.get(name.lower()) == value for name, value in terms]
    is_any = condition.strip().lower().startswith("any")
    return any(true) if is_any else bool(terms) and all(true)


def may(cloud: Cloud, principal: str, verb: Verb, resource: str, facts: Mapping[str, str]) -> bool:
    """Whether a resource may do something with a kind of resource in the compartment of
    ``facts``, whose other entries are those that conditions may ask for: a condition that asks for
    another does not hold.
    """
    if principal == DEPLOYER:
        return True
    groups = _groups(cloud, principal)
    found = statements(cloud.store, cloud.conditions.known_by)
    return any(_allows(statement, groups, verb, resource, facts) for statement in found)


def permits(cloud: Cloud, principal: str, permission: str, facts: Mapping[str, str]) -> bool:
    """As ``may``, for what a service asks by a permission's name."""
    verb, resource = _PERMISSIONS[permission]
    if may(cloud, principal, verb, resource, facts):
        return True
    groups = _groups(cloud, principal)
    return any(
        permission in statement.permissions and _is_about(statement, groups, facts)
        for statement in statements(cloud.store, cloud.conditions.known_by)
    )


def _groups(cloud: Cloud, principal: str) -> set[str]:
    """The names of the dynamic groups that a resource is in."""
    record = cloud.store.get(principal)
    if record is None:
        return set()
    who = {
        "resource.type": principal.split(".")[1],
        "resource.id": principal,
        "instance.id": principal,
        "resource.compartment.id": str(record.props.get("compartmentId")),
    }
    if who["resource.type"] == "instance":
        who["instance.compartment.id"] = who["resource.compartment.id"]
    return {
        group.props["name"].lower()
        for group in cloud.store.find(DYNAMIC_GROUP)
        if holds(group.props["matchingRule"], who)
    }


def _allows(
    statement: Statement, groups: set[str], verb: Verb, resource: str, facts: Mapping[str, str]
) -> bool:
    return (
        statement.verb is not None
        and VERBS.index(statement.verb) >= VERBS.index(verb)
        and statement.resource in (resource, _FAMILIES[resource], "all-resources")
        and _is_about(statement, groups, facts)
    )


def _is_about(statement: Statement, groups: set[str], facts: Mapping[str, str]) -> bool:
    kind, _, name = statement.subject.partition(" ")
    return (
        kind.lower() == "dynamic-group"
        and name.lower() in groups
        and statement.compartment in ("", TENANCY, facts.get("compartment"))
        and (not statement.condition or holds(statement.condition, facts))
    )
