"""A tracking server in containers on this machine, by its Docker daemon.

Server, scheduler, reverse proxy and database are in a network of their own; only the proxy's port
is published. Secrets reach a container as files in a volume of its own, so that they are in no
environment, no command and no image.
"""

import pulumi
from pulumi import Output

from infra.clouds.docker.artifacts import Artifacts
from infra.clouds.docker.database import Database
from infra.clouds.docker.identity import Identity
from infra.clouds.docker.image import Images
from infra.clouds.docker.network import Network, check_port
from infra.clouds.docker.scope import make_scope
from infra.clouds.docker.server import Server
from infra.inputs import Secrets
from infra.outputs import Deployment
from infra.plan.docker import DockerPlan
from runtime.settings.uris import without_password


def deploy(plan: DockerPlan, secrets: Secrets) -> Deployment:
    """Register the stack's resources.

    Raises StackError where another process holds the port.
    """
    check_port(plan)
    identity = Identity(plan, secrets)
    scope = make_scope(plan, secrets)
    images = Images(plan, secrets, scope)
    network = Network(plan, scope)
    artifacts = Artifacts(plan, scope)
    database = Database(plan, secrets, identity, images, network, scope)
    Server(plan, identity, images, network, artifacts, database, scope)
    server, scheduler = plan.workloads.server.name, plan.workloads.scheduler.name
    backend_store: pulumi.Input[str] = Output.unsecret(database.uri.apply(without_password))
    return Deployment(
        tracking_uri=plan.tracking_uri,
        tracking_token=identity.secrets.token,
        artifacts_destination=plan.artifacts_destination,
        backup_destination=plan.backup_destination,
        backend_store=backend_store,
        schedules=plan.schedules,
        version=plan.version,
        logs=f"docker logs --follow {plan.name}-{server}",
        image=images.runtime,
        command=f"docker exec --interactive {plan.name}-{scheduler} trackstack",
        ca_certificate=identity.secrets.ca_certificate,
        server_certificate=identity.secrets.server_certificate,
        backup_key=identity.secrets.backup_keys,
        protected=plan.protect,
    )
