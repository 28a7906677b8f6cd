"""The backend store: PostgreSQL in a container, unless the stack file gives another."""

import pulumi
import pulumi_docker as docker
from pulumi import Output, ResourceOptions

from infra.clouds.docker.awaited import awaited
from infra.clouds.docker.identity import Identity, secret_volume
from infra.clouds.docker.image import Images
from infra.clouds.docker.network import Network
from infra.clouds.shared.part import Part, Scoped
from infra.inputs import Secrets
from infra.plan.docker import DockerPlan
from infra.plan.workloads import SECRETS_DIRECTORY

_USER = _DATABASE = "mlflow"
_START_SECONDS = 180
_CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"]


class Database(Part):
    """``uri`` is the SQLAlchemy URI that the server connects to, secret; ``ready`` is what whoever
    connects must wait for.
    """

    def __init__(
        self,
        plan: DockerPlan,
        secrets: Secrets,
        identity: Identity,
        images: Images,
        network: Network,
        scope: Scoped,
    ) -> None:
        super().__init__("docker", "database")
        self.ready: list[pulumi.Resource] = []
        if secrets.backend_store_uri:
            self.uri: Output[str] = secrets.backend_store_uri
        else:
            password = identity.secrets.generated("database_password")
            image = images.of("database")
            scope = scope.within(self)
            container = _postgresql(plan, password, image, network, scope)
            self.ready.append(awaited(container, "database", _START_SECONDS, scope.opts))
            self.uri = Output.concat(
                f"postgresql://{_USER}:", password, f"@database:5432/{_DATABASE}"
            )
        identity.secrets.files["backend_store_uri"] = self.uri
        self.finish()


def _postgresql(
    plan: DockerPlan,
    password: Output[str],
    image: Output[str],
    network: Network,
    scope: Scoped,
) -> docker.Container:
    files = {"database_password": password}
    secret_files = secret_volume("database", plan, image, files, scope.opts)
    volume = docker.Volume("database-data", name=f"{plan.name}-database", opts=scope.data)
    data = docker.ContainerVolumeArgs(
        volume_name=volume.name, container_path="/var/lib/postgresql/data"
    )
    return docker.Container(
        "database",
        name=f"{plan.name}-database",
        image=image,
        envs=[
            f"POSTGRES_USER={_USER}",
            f"POSTGRES_DB={_DATABASE}",
            f"POSTGRES_PASSWORD_FILE={SECRETS_DIRECTORY}/database_password",
            # Below the mount: the image's user may not own what the daemon mounts there.
            "PGDATA=/var/lib/postgresql/data/pgdata",
        ],
        volumes=[data, secret_files],
        networks_advanced=[
            docker.ContainerNetworksAdvancedArgs(name=network.name, aliases=["database"])
        ],
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"], adds=_CAPABILITIES),
        security_opts=["no-new-privileges:true"],
        shm_size=128,
        restart="always",
        healthcheck=docker.ContainerHealthcheckArgs(
            tests=["CMD", "pg_isready", "-h", "127.0.0.1", "-U", _USER, "-d", _DATABASE],
            interval="5s",
            timeout="5s",
            retries=12,
            start_period="1m0s",
        ),
        destroy_grace_seconds=60,
        opts=ResourceOptions.merge(scope.opts, ResourceOptions(delete_before_replace=True)),
    )
