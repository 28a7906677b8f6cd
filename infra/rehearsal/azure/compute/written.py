"""What computes have written, in the tables of Log Analytics that Azure brings it to."""

import json
from collections.abc import Iterator, Mapping
from typing import cast

from infra.rehearsal.azure.compute.app_environments import ManagedEnvironment
from infra.rehearsal.azure.compute.app_jobs import Job
from infra.rehearsal.azure.compute.apps import ContainerApp
from infra.rehearsal.azure.compute.containers import ContainerGroup
from infra.rehearsal.azure.compute.machines import (
    DataCollectionRule,
    DataCollectionRuleAssociation,
    NetworkInterface,
    VirtualMachine,
    machine_name,
)
from infra.rehearsal.host.host import Host
from infra.rehearsal.provider.store import Store
from infra.rehearsal.provider.values import Props, child, items

# The numbers of syslog, by Azure's names.
# https://learn.microsoft.com/azure/azure-monitor/vm/data-collection-syslog
_FACILITIES = {"kern": "0", "user": "1", "daemon": "3", "auth": "4", "syslog": "5", "cron": "9"}
_LEVELS = {
    name: str(number)
    for number, name in enumerate(
        ("Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Info", "Debug")
    )
}


def tables(store: Store, host: Host, since: int) -> Mapping[str, list[str]]:
    """Table -> its lines of the time from a second (Unix, UTC) on."""
    return {
        # https://learn.microsoft.com/azure/container-instances/container-instances-log-analytics
        "ContainerInstanceLog_CL": host.log(since, *_of_groups(store)),
        # https://learn.microsoft.com/azure/container-apps/log-monitoring
        "ContainerAppConsoleLogs_CL": host.log(since, *_of_apps(store)),
        "Syslog": list(_of_machines(store, host, since)),
    }


def _of_groups(store: Store) -> Iterator[str]:
    """The containers of the groups that write to a workspace."""
    for record in store.find(ContainerGroup.token):
        if child(child(record.props, "diagnostics"), "logAnalytics"):
            for entry in items(record.props, "containers"):
                yield f"{record.props['containerGroupName']}-{entry['name']}"


def _of_apps(store: Store) -> Iterator[str]:
    """The containers of apps and jobs in the environments that write to a workspace."""
    writing = {
        record.id
        for record in store.find(ManagedEnvironment.token)
        if child(child(record.props, "appLogsConfiguration"), "logAnalyticsConfiguration")
    }
    for record in store.find(ContainerApp.token):
        if record.props["environmentId"] in writing:
            yield from ContainerApp.replicas(record.props)
    for record in store.find(Job.token):
        if record.props["environmentId"] in writing:
            yield record.props["jobName"]


def _of_machines(store: Store, host: Host, since: int) -> Iterator[str]:
    """What the rule that a machine has takes of its journal."""
    machines = {record.id: record.props for record in store.find(VirtualMachine.token)}
    rules = {record.id: record.props for record in store.find(DataCollectionRule.token)}
    interfaces = {record.id: record.props for record in store.find(NetworkInterface.token)}
    for association in store.find(DataCollectionRuleAssociation.token):
        machine = machines[association.props["resourceUri"]]
        [interface] = items(child(machine, "networkProfile"), "networkInterfaces")
        rule = rules[association.props["dataCollectionRuleId"]]
        command = ["journalctl", "--no-pager", "--output=json", f"--since=@{since}"]
        _, said = host.execute(machine_name(interfaces[interface["id"]]), command)
        for line in said.splitlines():
            if line.startswith("{") and is_taken(entry := json.loads(line), rule):
                yield str(entry.get("MESSAGE"))


def is_taken(entry: Props, rule: Props) -> bool:
    """Whether a data collection rule takes an entry of a journal."""
    return any(
        entry.get("SYSLOG_FACILITY") in _numbers(source, "facilityNames", _FACILITIES)
        and entry.get("PRIORITY") in _numbers(source, "logLevels", _LEVELS)
        for source in items(child(rule, "dataSources"), "syslog")
    )


def _numbers(source: Props, name: str, known: Mapping[str, str]) -> set[str]:
    return {known[word] for word in cast("list[str]", source.get(name) or [])}
