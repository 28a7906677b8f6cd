"""A tracking server in containers on this machine, by its Docker daemon.

Server, scheduler, reverse proxy and database are in a network of their own; only the proxy's port
is published. Secrets reach a container as files in a volume of its own, so that they are in no
environment, no command and no image.
"""

import pulumi
import pulumi_docker as docker
from pulumi import Output, ResourceOptions

from infra.clouds.docker.database import Database
from infra.clouds.docker.identity import Identity
from infra.clouds.docker.image import Images, make_provider
from infra.clouds.docker.network import check_port
from infra.clouds.docker.server import Containers
from infra.inputs import Secrets
from infra.outputs import Deployment
from infra.plan import DockerPlan
from runtime.settings import without_password


def deploy(plan: DockerPlan, secrets: Secrets) -> Deployment:
    """Register the stack's resources.

    Raises StackError where another process holds the port.
    """
    check_port(plan)
    identity = Identity(plan, secrets)
    opts = ResourceOptions(provider=make_provider(plan, secrets))
    images = Images(plan, secrets, opts)
    network = docker.Network("network", name=plan.name, opts=opts)
    database = Database(plan, secrets, identity, images, network, opts)
    Containers(plan, identity, images, network, database, opts)
    server, scheduler = plan.workloads.server.name, plan.workloads.scheduler.name
    backend_store: pulumi.Input[str] = Output.unsecret(database.uri.apply(without_password))
    return Deployment(
        tracking_uri=plan.tracking_uri,
        tracking_token=identity.token,
        artifacts_destination=plan.artifacts_destination,
        backup_destination=plan.backup_destination,
        backend_store=backend_store,
        schedules=plan.schedules,
        version=plan.version,
        logs=f"docker logs --follow {plan.name}-{server}",
        image=images.runtime,
        command=f"docker exec --interactive {plan.name}-{scheduler} trackstack",
        ca_certificate=identity.ca_certificate,
        protected=plan.protect,
    )
