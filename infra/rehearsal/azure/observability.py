"""Log Analytics and alerts: checked; what an alert would find is asked of ``fires``."""

import operator
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from infra.rehearsal.azure.ids import guid
from infra.rehearsal.azure.resource import AzureResource, refusal
from infra.rehearsal.provider.metadata import Problem
from infra.rehearsal.provider.resource import Function
from infra.rehearsal.provider.values import Props, child, items

# https://learn.microsoft.com/rest/api/monitor/scheduled-query-rules/create-or-update
_OPERATORS = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqual": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqual": operator.le,
}
# The queries of which ``fires`` knows the answer.
_QUERY = re.compile(r'(?P<table>\w+) \| where \w+ has "(?P<text>[^"]+)"')


class Workspace(AzureResource):
    token = "azure-native:operationalinsights:Workspace"
    kind = "Microsoft.OperationalInsights/workspaces"
    name_input = "workspaceName"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        days = inputs.get("retentionInDays")
        if days is not None and days not in (7, *range(30, 731)):
            message = f"RetentionInDays {days} is not valid: 7, or 30 to 730."
            raise refusal("InvalidParameter", message)

    def compute(self, id: str, inputs: Props) -> Props:
        return {**super().compute(id, inputs), "customerId": guid(f"{id}#customer")}


class GetSharedKeys(Function):
    token = "azure-native:operationalinsights:getSharedKeys"

    def invoke(self, args: Props) -> Props:
        found = self.cloud.store.find(Workspace.token, workspaceName=args["workspaceName"])
        if not found:
            message = f"The workspace '{args['workspaceName']}' was not found."
            raise refusal("ResourceNotFound", message, 404)
        key = shared_key(found[0].id)
        return {"primarySharedKey": key, "secondarySharedKey": key}


def shared_key(workspace: str) -> str:
    """The key with which one writes to a workspace."""
    return guid(f"{workspace}#key").replace("-", "")


class ActionGroup(AzureResource):
    token = "azure-native:monitor:ActionGroup"
    kind = "Microsoft.Insights/actionGroups"
    name_input = "actionGroupName"
    places: ClassVar[tuple[str, ...]] = ("global",)

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        short = inputs["groupShortName"]
        if not 1 <= len(short) <= 12:
            message = f"The short name '{short}' must have 1 to 12 characters."
            raise refusal("GroupShortNameInvalid", message)


class MetricAlert(AzureResource):
    token = "azure-native:monitor:MetricAlert"
    kind = "Microsoft.Insights/metricAlerts"
    name_input = "ruleName"
    places: ClassVar[tuple[str, ...]] = ("global",)

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        for scope in items(inputs, "scopes"):
            if not self.store.get(scope):
                raise refusal("ResourceNotFound", f"The scope {scope} was not found.", 404)
        for action in items(inputs, "actions"):
            self.referred({**inputs, "location": ""}, action.get("actionGroupId"), ActionGroup)


class ScheduledQueryRule(AzureResource):
    token = "azure-native:monitor:ScheduledQueryRule"
    kind = "Microsoft.Insights/scheduledQueryRules"
    name_input = "ruleName"

    @classmethod
    def problems(cls, inputs: Props) -> Iterator[Problem]:
        """The SDK has the operators of another type of the same name; the service's are these."""
        for problem in super().problems(inputs):
            if not re.fullmatch(r"criteria\.allOf\[\d+\]\.operator", problem.path):
                yield problem
        for index, condition in enumerate(items(child(inputs, "criteria"), "allOf")):
            if condition.get("operator") not in _OPERATORS:
                allowed = ", ".join(_OPERATORS)
                path = f"criteria.allOf[{index}].operator"
                yield Problem(path, f"must be one of: {allowed}")

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        for scope in items(inputs, "scopes"):
            self.referred({**inputs, "location": ""}, scope, Workspace)
        for group in items(child(inputs, "actions"), "actionGroups"):
            self.referred({**inputs, "location": ""}, group, ActionGroup)


def fires(rule: Props, lines: Mapping[str, Iterable[str]]) -> bool:
    """Whether a rule's condition holds of a window's lines, which are in tables.

    `has` finds whole words, whatever their case:
    https://learn.microsoft.com/kusto/query/has-operator
    """
    [condition] = items(child(rule, "criteria"), "allOf")
    query = _QUERY.fullmatch(condition["query"])
    if query is None or condition["timeAggregation"] != "Count":
        raise ValueError(f"no answer is known to {condition['query']}")
    words = re.compile(rf"(?<!\w){re.escape(query['text'])}(?!\w)", re.IGNORECASE)
    count = sum(words.search(line) is not None for line in lines.get(query["table"], ()))
    return _OPERATORS[condition["operator"]](count, condition["threshold"])
