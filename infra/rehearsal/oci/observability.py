"""Topics, subscriptions, alarms and logs: checked."""

import re

from infra.rehearsal.oci.identity import DynamicGroup
from infra.rehearsal.oci.resource import OciResource
from infra.rehearsal.provider.values import Props, child, items

_QUERY = re.compile(r"\w+\[\d+[mhd]\](\{.*\})?(\.grouping\(\))?\.\w+\([\d.]*\)\s*[<>=!]+\s*[\d.]+")


class NotificationTopic(OciResource):
    token = "oci:Ons/notificationTopic:NotificationTopic"
    kind = "onstopic"
    endpoint = "telemetry-ingestion"
    service = "Ons"
    name_input = "name"

    def compute(self, id: str, inputs: Props) -> Props:
        return {**super().compute(id, inputs), "topicId": id}


class Subscription(OciResource):
    token = "oci:Ons/subscription:Subscription"
    kind = "onssubscription"
    service = "Ons"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        self.referred(inputs["topicId"], NotificationTopic)


class Alarm(OciResource):
    token = "oci:Monitoring/alarm:Alarm"
    kind = "alarm"
    service = "Monitoring"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        for topic in inputs["destinations"]:
            self.referred(topic, NotificationTopic)
        if not _QUERY.fullmatch(inputs["query"]):
            raise self.refusal("InvalidParameter", f"Invalid query: {inputs['query']}")
        if inputs["severity"] not in ("CRITICAL", "ERROR", "WARNING", "INFO"):
            raise self.refusal("InvalidParameter", f"Invalid severity {inputs['severity']}")


class LogGroup(OciResource):
    token = "oci:Logging/logGroup:LogGroup"
    kind = "loggroup"
    service = "Logging"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        same = {name: inputs[name] for name in ("compartmentId", "displayName")}
        found = self.store.find(self.token, **same)
        if found and self.call.id not in {record.id for record in found}:
            message = f"Log group with name '{inputs['displayName']}' already exists."
            raise self.refusal("Conflict", message, 409)


class Log(OciResource):
    """A log of a group; it has no compartment of its own."""

    token = "oci:Logging/log:Log"
    kind = "log"
    service = "Logging"

    def verify(self, inputs: Props) -> None:
        self.referred(inputs["logGroupId"], LogGroup)
        days = int(inputs.get("retentionDuration") or 30)
        if days % 30 or not 30 <= days <= 180:
            raise self.refusal("InvalidParameter", "retentionDuration must be 30, 60, ... 180.")


class UnifiedAgentConfiguration(OciResource):
    token = "oci:Logging/unifiedAgentConfiguration:UnifiedAgentConfiguration"
    kind = "unifiedagentconfiguration"
    service = "Logging"

    def verify(self, inputs: Props) -> None:
        super().verify(inputs)
        configuration = child(inputs, "serviceConfiguration")
        self.referred(child(configuration, "destination").get("logObjectId"), Log)
        for group in child(inputs, "groupAssociation").get("groupLists") or ():
            self.referred(group, DynamicGroup)
        for source in items(configuration, "sources"):
            if source["sourceType"] == "LOG_TAIL" and not source.get("paths"):
                raise self.refusal("InvalidParameter", "A LOG_TAIL source needs paths.")
