"""Compartments, dynamic groups and policies."""

import re
from datetime import datetime, timezone

from infra.rehearsal.oci.access.policies import DYNAMIC_GROUP, POLICY, Statement, parse
from infra.rehearsal.oci.ids import DOMAINS, HOME, HOME_KEY, REGION, TENANCY, ocid
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider import checks
from infra.rehearsal.provider.resource import Function
from infra.rehearsal.provider.values import Props

_RULE = re.compile(
    r"\s*(all|any)\s*\{.+\}\s*|\s*[\w.\-]+\s*=\s*'[^']*'\s*", re.IGNORECASE | re.DOTALL
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


class GetRegionSubscriptions(Function):
    token = "oci:Identity/getRegionSubscriptions:getRegionSubscriptions"

    def invoke(self, args: Props) -> Props:
        regions = {HOME: HOME_KEY, REGION: "FRA"}
        found = [
            {
                "regionName": name,
                "regionKey": key,
                "isHomeRegion": name == HOME,
                "state": "READY",
                "tenancyId": TENANCY,
            }
            for name, key in regions.items()
        ]
        return {"id": "regions", "tenancyId": args["tenancyId"], "regionSubscriptions": found}


class _Identity(OciResource):
    service = "Identity"
    name_input = "name"
    autoname_separator = "-"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        self.at_home()
        wrong = f"Name {inputs['name']} is invalid: letters, digits, hyphens, periods, underscores."
        error = self.refusal("InvalidParameter", wrong)
        checks.named(inputs["name"], r"[\w.-]*", 1, 100, error)

    def at_home(self) -> None:
        """Refuse a change that is asked of another region than the tenancy's home."""
        region = self.call.config.get("region")
        if region and region != HOME:
            raise self.refusal(
                "NotAllowed",
                f"Please go to your home region {HOME_KEY} to execute CREATE, UPDATE and DELETE"
                " operations.",
                403,
            )

    def delete(self, id: str, known: Props) -> None:
        self.at_home()
        super().delete(id, known)


class Compartment(_Identity):
    token = "oci:Identity/compartment:Compartment"
    kind = "compartment"


class DynamicGroup(_Identity):
    token = DYNAMIC_GROUP
    kind = "dynamicgroup"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        if inputs["compartmentId"] != TENANCY:
            raise self.refusal("InvalidParameter", "Dynamic groups must be in the tenancy.")
        if not _RULE.fullmatch(inputs["matchingRule"]):
            wrong = f"Matching rule is invalid: {inputs['matchingRule']}"
            raise self.refusal("InvalidParameter", wrong)


class Policy(_Identity):
    token = POLICY
    kind = "policy"

    def create(self, inputs: Props) -> tuple[str, Props]:
        id, props = super().create(inputs)
        return id, {**props, "timeCreated": datetime.now(timezone.utc).isoformat()}

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
