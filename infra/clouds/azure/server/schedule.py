"""The schedules where nothing runs them beside the server: a Container Apps job for each.

A job that is still running when it is due again keeps the other out: each locks the store.
"""

from pulumi import ResourceOptions
from pulumi_azure_native import app

from infra.clouds.azure.parts import Parts
from infra.clouds.azure.scope import replaced_for
from infra.clouds.azure.server.scale import WITHIN, ContainerApps

_TIMEOUT_SECONDS = 6 * 3600


def make_jobs(parts: Parts, apps: ContainerApps, server: app.ContainerApp) -> None:
    """Each by cron, in UTC, once the server has migrated the store."""
    for job in parts.plan.workloads.of("job"):
        app.Job(
            job.name,
            job_name=parts.plan.names.jobs[job.name],
            environment_id=apps.environment.id,
            workload_profile_name="Consumption",
            identity=apps.identity(),
            configuration=app.JobConfigurationArgs(
                trigger_type="Schedule",
                schedule_trigger_config=app.JobConfigurationScheduleTriggerConfigArgs(
                    cron_expression=job.schedule or "",
                    parallelism=1,
                    replica_completion_count=1,
                ),
                replica_timeout=_TIMEOUT_SECONDS,
                replica_retry_limit=1,
                registries=apps.registries(),
                secrets=apps.secrets([job]),
            ),
            template=app.JobTemplateArgs(
                containers=[apps.container(job)], volumes=apps.volumes([job])
            ),
            **parts.scope.inside,
            opts=ResourceOptions.merge(parts.scope.after(server), replaced_for(*WITHIN)),
        )
