"""The workloads as containers: the tracking server, and the services before and beside it."""

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_docker as docker
from pulumi import Output, ResourceOptions

from infra.clouds.docker import texts
from infra.clouds.docker.artifacts import Artifacts
from infra.clouds.docker.awaited import awaited
from infra.clouds.docker.database import Database
from infra.clouds.docker.identity import Identity, secret_volume
from infra.clouds.docker.image import Images
from infra.clouds.docker.network import Network
from infra.clouds.shared.part import Part, Scoped
from infra.plan.docker import DockerPlan
from infra.plan.workloads import DATA_DIRECTORY, USER, Image, Kind, Probe, Workload
from runtime.settings import variable

_MIB_PER_GIB = 1024
# A first start fills a database, and this machine may be a small one.
_START_SECONDS = 300
# image -> the user that a container of it runs as, and the capabilities that it keeps
_RIGHTS: dict[Image, tuple[str, list[str]]] = {
    "runtime": (USER, []),
    # The image's own user, which owns its volume; of its rights the one to bind port 443.
    "proxy": ("0:0", ["CAP_NET_BIND_SERVICE"]),
}
_LIFE: dict[Kind, dict[str, Any]] = {
    "service": {"restart": "always"},
    # Waited for until it has ended.
    "init": {"restart": "on-failure", "must_run": False, "attach": True},
}


class Server(Part):
    """All of the plan's workloads, in the stack's network."""

    def __init__(
        self,
        plan: DockerPlan,
        identity: Identity,
        images: Images,
        network: Network,
        artifacts: Artifacts,
        database: Database,
        scope: Scoped,
    ) -> None:
        super().__init__("docker", "server")
        self._plan, self._identity, self._images = plan, identity, images
        self._network, self._volumes = network, artifacts.volumes
        self._opts = scope.within(self).opts
        stores = database.ready
        inits = [self._run(workload, stores) for workload in plan.workloads.of("init")]
        # It migrates the backend store.
        server = self._run(plan.workloads.server, [*stores, *inits])
        for workload in plan.workloads.of("service"):
            if workload != plan.workloads.server:
                needs = stores if workload.image == "runtime" else []
                self._run(workload, [*needs, server])
        self.finish()

    def _run(self, workload: Workload, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        """One container as its specification says; returns what is there once it is well."""
        container = self._container(workload, after)
        if workload.kind != "service":
            return container
        return awaited(container, workload.name, _START_SECONDS, self._opts)

    def _container(self, workload: Workload, after: Sequence[pulumi.Resource]) -> docker.Container:
        """With no right that it does not need."""
        plan = self._plan
        image = self._images.of(workload.image)
        user, capabilities = _RIGHTS[workload.image]
        own = ResourceOptions(delete_before_replace=True, depends_on=list(after))
        return docker.Container(
            workload.name,
            name=f"{plan.name}-{workload.name}",
            image=image,
            command=list(workload.command),
            envs=self._environment(workload),
            user=user,
            read_only=True,
            tmpfs={"/tmp": "", "/config": ""},  # noqa: S108 - in the container
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=capabilities),
            security_opts=["no-new-privileges:true"],
            memory=int(workload.memory_limit * _MIB_PER_GIB),
            # Without it the provider cannot raise the memory later, and any other than this is -1
            # again where the kernel does not count swap.
            memory_swap=-1,
            cpus=texts.cpus(workload.cpus),
            volumes=[
                docker.ContainerVolumeArgs(
                    volume_name=self._volumes[workload.volume].name, container_path=DATA_DIRECTORY
                ),
                self._secret_files(workload, image),
            ],
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(
                    name=self._network.name, aliases=[workload.name]
                )
            ],
            ports=self._published(workload),
            healthcheck=_health_check(workload.probe),
            destroy_grace_seconds=30,
            log_driver="json-file",
            log_opts={"max-size": "10m", "max-file": "5"},
            **_LIFE[workload.kind],
            opts=ResourceOptions.merge(self._opts, own),
        )

    def _environment(self, workload: Workload) -> list[pulumi.Input[str]]:
        given: dict[str, pulumi.Input[str]] = dict(workload.environment)
        if workload == self._plan.workloads.server:
            given[variable("image")] = self._images.runtime
        return [Output.concat(name, "=", value) for name, value in sorted(given.items())]

    def _published(self, workload: Workload) -> list[docker.ContainerPortArgs]:
        """The proxy's port, on this machine: it is the one way in."""
        if workload.image != "proxy" or workload.port is None:
            return []
        plan = self._plan
        return [
            docker.ContainerPortArgs(internal=workload.port, external=plan.port, ip=plan.address)
        ]

    def _secret_files(self, workload: Workload, image: Output[str]) -> docker.ContainerVolumeArgs:
        """The volume with the container's secret files; ``image`` is the container's own."""
        known = self._identity.secrets.files
        files = {name: known[name] for name in workload.secret_files if name in known}
        return secret_volume(workload.name, self._plan, image, files, self._opts)


def _health_check(probe: Probe | None) -> docker.ContainerHealthcheckArgs:
    """In place of the image's own, which asks the server that may not run here."""
    if probe is None:
        # Where one says nothing of these, the daemon puts in those of the image.
        return docker.ContainerHealthcheckArgs(
            tests=["NONE"], interval="10s", timeout="5s", retries=3, start_period="1m0s"
        )
    return docker.ContainerHealthcheckArgs(
        tests=["CMD", *probe.command],
        interval="5s",
        timeout="5s",
        retries=probe.failures,
        # `up` waits for it, and this machine may be a small one.
        start_period=texts.duration(2 * probe.start_seconds),
    )
