"""The schedules where nothing runs them beside the server: a Container Apps job for each.

A job that is still running when it is due again keeps the other out: each locks the store.
"""

from pulumi_azure_native import app

from infra.clouds.azure.parts import Parts
from infra.clouds.azure.scale import ContainerApps

_TIMEOUT_SECONDS = 6 * 3600


def make_jobs(parts: Parts, apps: ContainerApps, server: app.ContainerApp) -> None:
    """gc, prune and backup by cron, in UTC, once the server has migrated the store."""
    for name, container in parts.plan.jobs.items():
        app.Job(
            name,
            job_name=f"{parts.plan.names.app[:25].rstrip('-')}-{name}",
            environment_id=apps.environment.id,
            workload_profile_name="Consumption",
            identity=apps.identity(),
            configuration=app.JobConfigurationArgs(
                trigger_type="Schedule",
                schedule_trigger_config=app.JobConfigurationScheduleTriggerConfigArgs(
                    cron_expression=parts.plan.schedules[name],
                    parallelism=1,
                    replica_completion_count=1,
                ),
                replica_timeout=_TIMEOUT_SECONDS,
                replica_retry_limit=1,
                registries=apps.registries(),
                secrets=apps.secrets(container),
            ),
            template=app.JobTemplateArgs(
                containers=[apps.container(container)], volumes=apps.volumes(container)
            ),
            **parts.scope.inside,
            opts=parts.scope.after(server),
        )
