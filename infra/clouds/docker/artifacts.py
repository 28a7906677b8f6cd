"""The volumes: all that the server keeps (artifacts, backups, the jobs' state), and what the proxy
was issued.
"""

import pulumi_docker as docker
from pulumi import ResourceOptions

from infra.plan import DockerPlan


def data_options(plan: DockerPlan, opts: ResourceOptions) -> ResourceOptions:
    """Of what holds data: kept in `pulumi destroy`, and protected, as the stack file says."""
    kept = ResourceOptions(retain_on_delete=plan.keep_data, protect=True)
    return ResourceOptions.merge(opts, kept)


def make_volumes(plan: DockerPlan, opts: ResourceOptions) -> dict[str, docker.Volume]:
    """What the workloads write, by the plan's name of the volume.

    Made where it is not there; found again after a `pulumi destroy` that kept it.
    """
    # name -> what its name on this machine ends with, and its options
    known = {"data": ("data", data_options(plan, opts)), "front-data": ("front", opts)}
    return {
        name: docker.Volume(name, name=f"{plan.name}-{known[name][0]}", opts=known[name][1])
        for name in plan.workloads.volumes
    }
