"""Logs in Log Analytics; alerts by mail: server down, a job failed, the database's disk."""

from pulumi import InvokeOutputOptions, Output
from pulumi_azure_native import compute, monitor, operationalinsights

from infra.clouds.azure.scope import Scope
from infra.clouds.shared.part import Part
from infra.plan.azure import AzurePlan
from runtime.health import SIGN_OF_LIFE

_KEPT_DAYS = 30
# A line is in the workspace up to ten minutes after it was written.
_EVERY, _WINDOW = "PT5M", "PT15M"
_FULL_PERCENT = 85
_WARNING = 2
_SYSLOG = "Microsoft-Syslog"
# Where each compute's standard output is, and its text.
_TABLES = {
    "container": ("ContainerInstanceLog_CL", "Message"),
    "scale": ("ContainerAppConsoleLogs_CL", "Log_s"),
    "vm": ("Syslog", "SyslogMessage"),
}


class Logs(Part):
    """``customer_id`` and, secret, ``key`` let a compute write to the workspace."""

    def __init__(self, plan: AzurePlan, scope: Scope) -> None:
        super().__init__("azure", "logs")
        scope = scope.within(self)
        workspace = operationalinsights.Workspace(
            "logs",
            workspace_name=f"{plan.names.base}-logs",
            sku=operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
            retention_in_days=_KEPT_DAYS,
            **scope.inside,
            opts=scope.opts,
        )
        self.id: Output[str] = workspace.id
        self.customer_id: Output[str] = workspace.customer_id
        keys = operationalinsights.get_shared_keys_output(
            resource_group_name=scope.group,
            workspace_name=workspace.name,
            opts=InvokeOutputOptions(provider=scope.opts.provider),
        )
        self.key: Output[str] = Output.secret(
            keys.apply(lambda found: found.primary_shared_key or "")
        )
        self.finish()


def collect_journal(
    plan: AzurePlan,
    scope: Scope,
    logs: Logs,
    machine: compute.VirtualMachine,
    identity: Output[str],
) -> None:
    """Bring a machine's journal to the workspace, by Azure's own agent as the managed identity.

    https://learn.microsoft.com/azure/azure-monitor/agents/azure-monitor-agent-manage
    """
    known = {"identifier-name": "mi_res_id", "identifier-value": identity}
    agent = compute.VirtualMachineExtension(
        "logs-agent",
        vm_extension_name="AzureMonitorLinuxAgent",
        vm_name=machine.name,
        publisher="Microsoft.Azure.Monitor",
        type="AzureMonitorLinuxAgent",
        type_handler_version="1.0",
        auto_upgrade_minor_version=True,
        enable_automatic_upgrade=True,
        settings={"authentication": {"managedIdentity": known}},
        **scope.inside,
        opts=scope.opts,
    )
    rule = monitor.DataCollectionRule(
        "logs-rule",
        data_collection_rule_name=f"{plan.names.base}-journal",
        kind="Linux",
        data_sources=monitor.DataCollectionRuleDataSourcesArgs(
            syslog=[
                monitor.SyslogDataSourceArgs(
                    name="journal",
                    streams=[_SYSLOG],
                    facility_names=["daemon"],
                    log_levels=["Info", "Notice", "Warning", "Error", "Critical"],
                )
            ]
        ),
        destinations=monitor.DataCollectionRuleDestinationsArgs(
            log_analytics=[
                monitor.LogAnalyticsDestinationArgs(name="logs", workspace_resource_id=logs.id)
            ]
        ),
        data_flows=[monitor.DataFlowArgs(streams=[_SYSLOG], destinations=["logs"])],
        **scope.inside,
        opts=scope.opts,
    )
    monitor.DataCollectionRuleAssociation(
        "logs-of-server",
        association_name="journal",
        resource_uri=machine.id,
        data_collection_rule_id=rule.id,
        opts=scope.after(agent),
    )


class Alerts(Part):
    """Alerts to the address of the stack file; no resource without one."""

    def __init__(
        self, plan: AzurePlan, scope: Scope, logs: Logs, database: Output[str] | None
    ) -> None:
        super().__init__("azure", "alerts")
        if plan.settings.alert_email:
            told = plan.settings.alert_email
            _make_alerts(told, plan, scope.within(self), logs, database)
        self.finish()


def _make_alerts(
    email: str, plan: AzurePlan, scope: Scope, logs: Logs, database: Output[str] | None
) -> None:
    group = monitor.ActionGroup(
        "alerts",
        action_group_name=f"{plan.names.base}-alerts",
        group_short_name="trackstack",
        enabled=True,
        email_receivers=[
            monitor.MicrosoftCommonEmailReceiverArgs(
                name="stack-file",
                email_address=email,
                use_common_alert_schema=True,
            )
        ],
        location="global",
        tags=dict(scope.tags),
        **scope.nested,
        opts=scope.opts,
    )
    table, text = _TABLES[plan.settings.compute]
    # Written by the scheduler, and by a job that runs alone.
    failed = f'{table} | where {text} has "job failed"'
    _log_alert("job-failed", plan, scope, logs, group.id, failed, "GreaterThan", 0)
    lives = f'{table} | where {text} has "{SIGN_OF_LIFE}"'
    _log_alert("server-down", plan, scope, logs, group.id, lives, "LessThan", 1)
    if database is not None:
        _disk_alert(plan, scope, database, group.id)


def _log_alert(
    name: str,
    plan: AzurePlan,
    scope: Scope,
    logs: Logs,
    group: Output[str],
    query: str,
    operator: str,
    threshold: float,
) -> None:
    monitor.ScheduledQueryRule(
        name,
        rule_name=f"{plan.names.base}-{name}",
        scopes=[logs.id],
        severity=_WARNING,
        enabled=True,
        evaluation_frequency=_EVERY,
        window_size=_WINDOW,
        # Its table is there only once something was logged.
        skip_query_validation=True,
        criteria=monitor.ScheduledQueryRuleCriteriaArgs(
            all_of=[
                monitor.ConditionArgs(
                    query=query, time_aggregation="Count", operator=operator, threshold=threshold
                )
            ]
        ),
        actions=monitor.ActionsArgs(action_groups=[group]),
        **scope.inside,
        opts=scope.opts,
    )


def _disk_alert(plan: AzurePlan, scope: Scope, database: Output[str], group: Output[str]) -> None:
    monitor.MetricAlert(
        "database-disk",
        rule_name=f"{plan.names.base}-database-disk",
        scopes=[database],
        severity=_WARNING,
        enabled=True,
        evaluation_frequency=_EVERY,
        window_size=_WINDOW,
        criteria=monitor.MetricAlertSingleResourceMultipleMetricCriteriaArgs(
            odata_type="Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria",
            all_of=[
                monitor.MetricCriteriaArgs(
                    criterion_type="StaticThresholdCriterion",
                    name="disk",
                    metric_name="storage_percent",
                    operator="GreaterThan",
                    threshold=_FULL_PERCENT,
                    time_aggregation="Average",
                )
            ],
        ),
        actions=[monitor.MetricAlertActionArgs(action_group_id=group)],
        location="global",
        tags=dict(scope.tags),
        **scope.nested,
        opts=scope.opts,
    )
