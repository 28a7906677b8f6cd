"""Policies' statements, parsed.

https://docs.oracle.com/iaas/Content/Identity/policysyntax/policy-syntax.htm
"""

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from infra.rehearsal.provider.store import Record, Store

Verb = Literal["inspect", "read", "use", "manage"]
DYNAMIC_GROUP = "oci:Identity/dynamicGroup:DynamicGroup"
POLICY = "oci:Identity/policy:Policy"
VERBS: tuple[Verb, ...] = ("inspect", "read", "use", "manage")
_STATEMENT = re.compile(
    r"allow\s+(?P<subject>any-user|(?:dynamic-group|group|service)\s+(?:id\s+)?\S+(?:\s*,\s*\S+)*)"
    r"\s+to\s+(?:(?P<verb>\w+)\s+(?P<resource>[\w-]+)|\{(?P<permissions>[\w,\s]+)\})"
    r"\s+in\s+(?P<place>tenancy|compartment\s+(?P<by_id>id\s+)?(?P<compartment>\S+))"
    r"(?:\s+where\s+(?P<condition>.+))?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Statement:
    """One sentence of a policy; ``compartment`` is a name or an OCID, empty for the tenancy.

    It allows a ``verb`` on a ``resource``, or ``permissions`` by their names.
    """

    subject: str
    verb: Verb | None
    resource: str
    compartment: str
    by_id: bool
    condition: str
    permissions: frozenset[str] = frozenset()


def parse(text: str) -> Statement | None:
    """A policy statement, or None if it is none."""
    found = _STATEMENT.fullmatch(text.strip())
    if found is None or (found["verb"] and found["verb"].lower() not in VERBS):
        return None
    named = (name.strip().upper() for name in (found["permissions"] or "").split(","))
    return Statement(
        " ".join(found["subject"].split()),
        cast("Verb", found["verb"].lower()) if found["verb"] else None,
        (found["resource"] or "").lower(),
        found["compartment"] or "",
        found["by_id"] is not None,
        found["condition"] or "",
        frozenset(filter(None, named)),
    )


def statements(store: Store, known_by: float = math.inf) -> list[Statement]:
    """All statements of the policies that were made by then, in Unix time."""
    policies = (p for p in store.find(POLICY) if _made(p) <= known_by)
    texts = (text for policy in policies for text in policy.props["statements"])
    return [statement for text in texts if (statement := parse(text))]


def _made(policy: Record) -> float:
    made = str(policy.props["timeCreated"]).replace("Z", "+00:00")
    return datetime.fromisoformat(made).timestamp()


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
