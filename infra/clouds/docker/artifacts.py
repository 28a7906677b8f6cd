"""The volume with all that the server keeps: artifacts, backups, the jobs' state."""

import pulumi_docker as docker
from pulumi import ResourceOptions

from infra.plan import DockerPlan


def data_options(plan: DockerPlan, opts: ResourceOptions) -> ResourceOptions:
    """Of what holds data: kept in `pulumi destroy`, and protected, as the stack file says."""
    kept = ResourceOptions(retain_on_delete=plan.keep_data, protect=plan.protect)
    return ResourceOptions.merge(opts, kept)


def make_data_volume(plan: DockerPlan, opts: ResourceOptions) -> docker.Volume:
    """Made where it is not there; found again after a `pulumi destroy` that kept it."""
    return docker.Volume("data", name=f"{plan.name}-data", opts=data_options(plan, opts))
