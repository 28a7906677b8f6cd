"""Alarms by mail: the server does not answer, a job failed, the database's disk is nearly full; and
the logs of machines in OCI Logging. A container's are kept by its instance.
"""

import pulumi
from pulumi import Output
from pulumi_oci import logging, monitoring, ons

from infra.clouds.oci.identity import Identity
from infra.clouds.oci.scope import Scope
from infra.clouds.shared.part import Part
from infra.plan.oci import OciPlan
from runtime.oci.monitoring import METRIC, NAMESPACE

_FULL_PERCENT = 85
_PENDING = "PT5M"
_KEPT_DAYS = 30
# Where systemd's journal goes too, and what reads it on the machine.
_FILE, COLLECTOR = "/var/log/syslog", "Custom Logs Monitoring"


class Logs(Part):
    """A log of the stack's own, that its identity may write; before the identity's grant."""

    def __init__(self, plan: OciPlan, scope: Scope, identity: Identity) -> None:
        super().__init__("oci", "logs")
        self._plan, self._scope = plan, scope.within(self)
        scope = self._scope
        group = logging.LogGroup(
            "logs", display_name=f"{plan.names.base}-logs", **scope.inside, opts=scope.opts
        )
        log = logging.Log(
            "log",
            log_group_id=group.id,
            display_name="machines",
            log_type="CUSTOM",
            is_enabled=True,
            retention_duration=_KEPT_DAYS,
            freeform_tags=dict(scope.tags),
            opts=scope.opts,
        )
        self._id = log.id
        # The agent asks for its own configuration, which is of no log group: OCI would decline it
        # under the condition, and nothing would ever be collected.
        identity.allow_permission("UNIFIED_AGENT_CONFIG_GENERATE")
        identity.allow("use log-content", Output.concat("target.loggroup.id = '", group.id, "'"))

    def collect(self, group: Output[str]) -> None:
        """Collect from the machines of a dynamic group, by its OCID."""
        logging.UnifiedAgentConfiguration(
            "log-agent",
            display_name=f"{self._plan.names.base}-logs",
            description=f"What the machines of {self._plan.names.base} say",
            is_enabled=True,
            group_association={"group_lists": [group]},
            service_configuration={
                "configuration_type": "LOGGING",
                "destination": {"log_object_id": self._id},
                "sources": [
                    {
                        "source_type": "LOG_TAIL",
                        "name": "syslog",
                        "paths": [_FILE],
                        "parser": {"parser_type": "NONE"},
                    }
                ],
            },
            **self._scope.inside,
            opts=self._scope.opts,
        )


class Alarms(Part):
    """Alarms to the address of the stack file, no resource without one; before the identity's
    grant.
    """

    def __init__(
        self,
        plan: OciPlan,
        scope: Scope,
        identity: Identity,
        balancer: Output[str],
        database: Output[str] | None,
    ) -> None:
        super().__init__("oci", "alarms")
        if plan.settings.alert_email:
            told = plan.settings.alert_email
            _make_alarms(told, plan, scope.within(self), identity, balancer, database)
        self.finish()


def _make_alarms(
    email: str,
    plan: OciPlan,
    scope: Scope,
    identity: Identity,
    balancer: Output[str],
    database: Output[str] | None,
) -> None:
    topic = ons.NotificationTopic(
        "alarms", name=f"{plan.names.identity}-alarms", **scope.inside, opts=scope.opts
    )
    ons.Subscription(
        "alarms-mail",
        topic_id=topic.id,
        protocol="EMAIL",
        endpoint=email,
        **scope.inside,
        opts=scope.opts,
    )

    def alarm(name: str, namespace: str, query: pulumi.Input[str], says: str) -> None:
        monitoring.Alarm(
            name,
            display_name=f"{plan.names.base}-{name}",
            metric_compartment_id=plan.settings.compartment_id,
            namespace=namespace,
            query=query,
            severity="CRITICAL",
            body=says,
            pending_duration=_PENDING,
            is_enabled=True,
            destinations=[topic.id],
            **scope.inside,
            opts=scope.opts,
        )

    down = Output.concat('UnhealthyBackends[1m]{resourceId = "', balancer, '"}.max() > 0')
    alarm("server-down", "oci_nlb", down, "The MLflow tracking server does not answer.")
    # Whoever runs the jobs tells of each.
    identity.allow("use metrics", f"target.metrics.namespace = '{NAMESPACE}'")
    failed = f'{METRIC}[10m]{{stack = "{plan.names.base}"}}.max() > 0'
    alarm("job-failed", NAMESPACE, failed, "gc, prune or a backup failed, and twice more.")
    if database is not None:
        used = Output.concat('DbVolumeUtilization[5m]{resourceId = "', database, '"}.max()')
        full = Output.concat(used, f" > {_FULL_PERCENT}")
        alarm("database-disk", "oci_mysql_database", full, "The database's disk is nearly full.")
