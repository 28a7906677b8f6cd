"""The secrets that the stack's parts authenticate with: token, database password, certificates.

Generated ones are kept on this machine with the data, because the database in its volume still
has the password after `pulumi destroy`, and clients still have token and certificate.
"""

from collections.abc import Mapping

import pulumi_docker as docker
from pulumi import Output, ResourceOptions

from infra.clouds.shared.part import Part
from infra.clouds.shared.secret_files import SecretFiles
from infra.inputs import Secrets
from infra.plan.docker import DockerPlan
from infra.plan.environment import BACKUP_KEY
from infra.plan.workloads import SECRETS_DIRECTORY


class Identity(Part):
    """Every secret of the stack, kept on this machine beside its data."""

    def __init__(self, plan: DockerPlan, secrets: Secrets) -> None:
        super().__init__("docker", "identity")
        place = {"directory": plan.secrets_dir, "keep_data": plan.keep_data}
        self.secrets = SecretFiles(
            plan.name,
            plan.tls,
            plan.tls_certificate,
            secrets,
            place,
            self.child(),
            rotation=plan.secrets_key_rotation,
            encrypts_backups=BACKUP_KEY in plan.workloads.secret_files,
        )
        self.finish()


def secret_volume(
    container: str,
    plan: DockerPlan,
    image: Output[str],
    files: Mapping[str, Output[str]],
    opts: ResourceOptions,
) -> docker.ContainerVolumeArgs:
    """A volume that holds the secret files of one container, for it to mount.

    Docker cannot upload into a container whose root file system is read-only. So they are uploaded
    to one that mounts the volume and never runs, made of the container's own image: another image
    of one container leaves the others alone. When a file changes, both are replaced.
    """
    volume = docker.Volume(
        f"{container}-secrets", name=f"{plan.name}-{container}-secrets", opts=opts
    )
    uploads = [
        docker.ContainerUploadArgs(
            file=f"{SECRETS_DIRECTORY}/{name}", content=content, permissions="0444"
        )
        for name, content in sorted(files.items())
    ]
    holder = docker.Container(
        f"{container}-secret-files",
        name=f"{plan.name}-{container}-secrets",
        image=image,
        uploads=uploads,
        start=False,
        must_run=False,
        volumes=[
            docker.ContainerVolumeArgs(volume_name=volume.name, container_path=SECRETS_DIRECTORY)
        ],
        opts=ResourceOptions.merge(opts, ResourceOptions(delete_before_replace=True)),
    )
    return docker.ContainerVolumeArgs(
        volume_name=Output.all(volume.name, holder.id).apply(lambda both: both[0]),
        container_path=SECRETS_DIRECTORY,
        read_only=True,
    )
