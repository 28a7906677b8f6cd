"""The volumes: all that the server keeps (artifacts, backups, the jobs' state), and what the proxy
was issued.
"""

import pulumi_docker as docker

from infra.clouds.shared.part import Part, Scoped
from infra.plan.docker import DockerPlan


class Artifacts(Part):
    """``volumes`` are what the workloads write, by the plan's name of the volume.

    Made where it is not there; found again after a `pulumi destroy` that kept it.
    """

    def __init__(self, plan: DockerPlan, scope: Scoped) -> None:
        super().__init__("docker", "artifacts")
        scope = scope.within(self)
        # name -> what its name on this machine ends with, and its options
        known = {"data": ("data", scope.data), "front-data": ("front", scope.opts)}
        self.volumes = {
            name: docker.Volume(name, name=f"{plan.name}-{known[name][0]}", opts=known[name][1])
            for name in plan.workloads.volumes
        }
        self.finish()
