"""A Docker provider that does what pulumi_docker declares by the real daemon.

Replace and update rules follow the schema of terraform-provider-docker, on which the real provider
is built; those of Image follow pulumi-docker's own provider.go.
"""

from pathlib import Path

import docker.errors

from infra.rehearsal.docker.client import connect
from infra.rehearsal.docker.container import Container
from infra.rehearsal.docker.image import GetRemoteImage, Image, RemoteImage, Tag
from infra.rehearsal.docker.network import Network, Volume
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.resource import Cloud
from infra.rehearsal.provider.values import Props


class Docker(Cloud):
    """Asks for the daemon before it does anything, and for each provider of a stack."""

    def configured(self, config: Props) -> None:
        try:
            connect(config.get("host") or "").ping()
        except (docker.errors.DockerException, OSError):
            raise CloudError(
                "Docker",
                "docker native provider returned an unexpected error from Configure: failed to "
                "connect to any docker daemon",
            ) from None


def open_cloud(state_dir: Path, *, emulates: bool = False) -> Cloud:
    types = [Container, Image, Network, RemoteImage, Tag, Volume]
    return Docker("docker", types, state_dir, [GetRemoteImage])
