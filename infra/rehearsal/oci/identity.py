"""Compartments, dynamic groups, and policies with their statements parsed."""

import re
from dataclasses import dataclass
from typing import Literal, cast

from infra.rehearsal.oci.resource import REGION, TENANCY, OciResource, ocid
from infra.rehearsal.provider import checks
from infra.rehearsal.provider.resource import Function
from infra.rehearsal.provider.store import Store
from infra.rehearsal.provider.values import Props

Verb = Literal["inspect", "read", "use", "manage"]
DOMAINS = tuple(f"Uocm:{REGION.upper()}-AD-{number}" for number in (1, 2, 3))
VERBS: tuple[Verb, ...] = ("inspect", "read", "use", "manage")
_STATEMENT = re.compile(
    r"allow\s+(?P<subject>any-user|(?:dynamic-group|group|service)\s+(?:id\s+)?\S+(?:\s*,\s*\S+)*)"
    r"\s+to\s+(?P<verb>\w+)\s+(?P<resource>[\w-]+)"
    r"\s+in\s+(?P<place>tenancy|compartment\s+(?P<by_id>id\s+)?(?P<compartment>\S+))"
    r"(?:\s+where\s+(?P<condition>.+))?",
    re.IGNORECASE | re.DOTALL,
)
_RULE = re.compile(
    r"\s*(all|any)\s*\{.+\}\s*|\s*[\w.\-]+\s*=\s*'[^']*'\s*", re.IGNORECASE | re.DOTALL
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
    texts = (text for policy in store.find(Policy.token) for text in policy.props["statements"])
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


class GetAvailabilityDomains(Function):
    token = "oci:Identity/getAvailabilityDomains:getAvailabilityDomains"

    def invoke(self, args: Props) -> Props:
        compartment = args["compartmentId"]
        domains = [
            {"name": name, "id": ocid("availabilitydomain", name), "compartmentId": compartment}
            for name in DOMAINS
        ]
        return {"id": compartment, "compartmentId": compartment, "availabilityDomains": domains}


class _Identity(OciResource):
    service = "Identity"
    name_input = "name"
    autoname_separator = "-"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        wrong = f"Name {inputs['name']} is invalid: letters, digits, hyphens, periods, underscores."
        error = self.refusal("InvalidParameter", wrong)
        checks.named(inputs["name"], r"[\w.-]*", 1, 100, error)


class Compartment(_Identity):
    token = "oci:Identity/compartment:Compartment"
    kind = "compartment"


class DynamicGroup(_Identity):
    token = "oci:Identity/dynamicGroup:DynamicGroup"
    kind = "dynamicgroup"
    fixed = frozenset({"compartmentId", "name"})

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        if inputs["compartmentId"] != TENANCY:
            raise self.refusal("InvalidParameter", "Dynamic groups must be in the tenancy.")
        if not _RULE.fullmatch(inputs["matchingRule"]):
            wrong = f"Matching rule is invalid: {inputs['matchingRule']}"
            raise self.refusal("InvalidParameter", wrong)


class Policy(_Identity):
    token = "oci:Identity/policy:Policy"
    kind = "policy"
    fixed = frozenset({"compartmentId", "name"})

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        for text in inputs["statements"]:
            statement = parse(text)
            if statement is None:
                raise self.refusal("InvalidParameter", f"No permissions found: {text}")
            if statement.compartment and not self._in_subtree(inputs["compartmentId"], statement):
                raise self.refusal(
                    "InvalidParameter",
                    f"Compartment {{{statement.compartment}}} does not exist or is not part of the"
                    " policy compartment subtree",
                )
            kind, _, name = statement.subject.partition(" ")
            known = self.store.find(DynamicGroup.token, name=name)
            if kind.lower() == "dynamic-group" and not name.startswith("id ") and not known:
                raise self.refusal(
                    "InvalidParameter",
                    f"The dynamic-group {name} specified in the policy statement does not exist"
                    " under current compartment hierarchy.",
                )

    def _in_subtree(self, top: str, statement: Statement) -> bool:
        for record in self.store.find(Compartment.token):
            named = record.id if statement.by_id else record.props["name"]
            if named != statement.compartment:
                continue
            above: str | None = record.id
            while above:
                if above == top or top == TENANCY:
                    return True
                parent = self.store.get(above)
                above = parent.props.get("compartmentId") if parent else None
        return statement.by_id and statement.compartment == TENANCY == top
