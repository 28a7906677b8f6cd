"""What the stack's parts know each other by: token, database password, certificates.

Generated ones are kept on this machine with the data, because the database in its volume still
has the password after `pulumi destroy`, and clients still have token and certificate.
"""

from collections.abc import Mapping
from typing import Any

import pulumi_docker as docker
from pulumi import Output, ResourceOptions

from infra.clouds.shared.generated import CertificateAuthority, GeneratedSecret
from infra.containers import SECRETS_DIRECTORY
from infra.plan import DockerPlan
from infra.settings import Secrets


class Identity:
    """Every secret of the stack, by the name of the file that a container reads it from."""

    def __init__(self, plan: DockerPlan, secrets: Secrets) -> None:
        self._place: dict[str, Any] = {
            "directory": plan.secrets_dir,
            "keep_data": plan.keep_data,
        }
        self.token = self._generated("tracking_token")
        self.files: dict[str, Output[str]] = {
            "tracking_token": self.token,
            "job_token": self._generated("job_token"),
        }
        if secrets.oidc_client_secret:
            self.files["oidc_client_secret"] = secrets.oidc_client_secret
        self.ca_certificate = self._certificates(plan, secrets)

    def database_password(self) -> Output[str]:
        """The password of the stack's own database."""
        return self._generated("database_password")

    def _generated(self, name: str) -> Output[str]:
        return GeneratedSecret(name.replace("_", "-"), {**self._place, "file": name}).value

    def _certificates(self, plan: DockerPlan, secrets: Secrets) -> Output[str] | None:
        if plan.tls == "internal":
            named = {**self._place, "common_name": f"{plan.name} certificate authority"}
            authority = CertificateAuthority("authority", named)
            self.files |= {"ca_certificate": authority.certificate, "ca_key": authority.key}
            return authority.certificate
        if plan.tls_certificate and secrets.tls_key:
            certificate = Output.from_input(plan.tls_certificate)
            self.files |= {"tls_certificate": certificate, "tls_key": secrets.tls_key}
        return None


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
    of one container leaves the others alone. When a file changes, both are made anew.
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
