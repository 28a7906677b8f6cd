"""Policies' statements, parsed.

https://docs.oracle.com/iaas/Content/Identity/policysyntax/policy-syntax.htm
"""

import re
from dataclasses import dataclass
from typing import Literal, cast

from infra.rehearsal.provider.store import Store

Verb = Literal["inspect", "read", "use", "manage"]
DYNAMIC_GROUP = "oci:Identity/dynamicGroup:DynamicGroup"
POLICY = "oci:Identity/policy:Policy"
VERBS: tuple[Verb, ...] = ("inspect", "read", "use", "manage")
_STATEMENT = re.compile(
    r"allow\s+(?P<subject>any-user|(?:dynamic-group|group|service)\s+(?:id\s+)?\S+(?:\s*,\s*\S+)*)"
    r"\s+to\s+(?P<verb>\w+)\s+(?P<resource>[\w-]+)"
    r"\s+in\s+(?P<place>tenancy|compartment\s+(?P<by_id>id\s+)?(?P<compartment>\S+))"
    r"(?:\s+where\s+(?P<condition>.+))?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Statement:
    """One sentence of a policy; ``compartment`` is a name or an OCID, empty for the tenancy."""

    subject: str
    verb: Verb
    resource: str
    compartment: str
    by_id: bool
    condition: str


def parse(text: str) -> Statement | None:
    """A policy statement, or None if it is none."""
    found = _STATEMENT.fullmatch(text.strip())
    if found is None or found["verb"].lower() not in VERBS:
        return None
    return Statement(
        " ".join(found["subject"].split()),
        cast("Verb", found["verb"].lower()),
        found["resource"].lower(),
        found["compartment"] or "",
        found["by_id"] is not None,
        found["condition"] or "",
    )


def statements(store: Store) -> list[Statement]:
    """All statements of all policies."""
    texts = (text for policy in store.find(POLICY) for text in policy.props["statements"])
    return [statement for text in texts if (statement := parse(text))]


def lets_service(store: Store, service: str, compartment: str, bucket: str) -> bool:
    """Whether a policy lets a service of OCI's own manage a bucket."""
    return any(
        statement.subject.lower() == f"service {service}"
        and statement.verb == "manage"
        and statement.resource == "object-family"
        and statement.compartment in ("", compartment)
        and (not statement.condition or f"'{bucket}'" in statement.condition)
        for statement in statements(store)
    )
