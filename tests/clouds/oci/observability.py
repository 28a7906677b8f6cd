"""Topics, subscriptions and alarms: checked."""

import re

from tests.clouds.framework.values import Props
from tests.clouds.oci.real import HOSTS
from tests.clouds.oci.resource import OciResource

_QUERY = re.compile(r"\w+\[\d+[mhd]\](\{.*\})?(\.grouping\(\))?\.\w+\([\d.]*\)\s*[<>=!]+\s*[\d.]+")

_API = next(host for host in HOSTS if host.startswith("telemetry-ingestion."))


class NotificationTopic(OciResource):
    token = "oci:Ons/notificationTopic:NotificationTopic"
    kind = "onstopic"
    service = "Ons"
    name_input = "name"
    fixed = frozenset({"name"})

    def compute(self, id: str, inputs: Props) -> Props:
        return {**super().compute(id, inputs), "topicId": id}

    def create(self, inputs: Props) -> tuple[str, Props]:
        if self.real:
            self.real.endpoint(_API)
        return super().create(inputs)

    def delete(self, id: str, known: Props) -> None:
        if self.real:
            self.real.ground.remove(_API.split(".")[0])


class Subscription(OciResource):
    token = "oci:Ons/subscription:Subscription"
    kind = "onssubscription"
    service = "Ons"
    fixed = frozenset({"topicId", "protocol", "endpoint", "compartmentId"})

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
