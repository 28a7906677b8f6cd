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
    ``facts``, whose other entries are those that conditions may ask for.
    """
    if principal == DEPLOYER:
        return True
    record = cloud.store.get(principal)
    if record is None:
        return False
    who = {
        "resource.type": principal.split(".")[1],
        "resource.id": principal,
        "instance.id": principal,
        "resource.compartment.id": str(record.props.get("compartmentId")),
    }
    if who["resource.type"] == "instance":
        who["instance.compartment.id"] = who["resource.compartment.id"]
    groups = {
        group.props["name"].lower()
        for group in cloud.store.find(DYNAMIC_GROUP)
        if holds(group.props["matchingRule"], who)
    }
    found = statements(cloud.store)
    return any(_allows(statement, groups, verb, resource, facts) for statement in found)


def _allows(
    statement: Statement, groups: set[str], verb: Verb, resource: str, facts: Mapping[str, str]
) -> bool:
    kind, _, name = statement.subject.partition(" ")
    return (
        kind.lower() == "dynamic-group"
        and name.lower() in groups
        and VERBS.index(statement.verb) >= VERBS.index(verb)
        and statement.resource in (resource, _FAMILIES[resource], "all-resources")
        and statement.compartment in ("", TENANCY, facts.get("compartment"))
        and (not statement.condition or holds(statement.condition, facts))
    )
