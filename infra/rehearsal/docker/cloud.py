"""A Docker provider that does what pulumi_docker declares by the real daemon.

Replace and update rules follow the schema of terraform-provider-docker, on which the real provider
is built; those of Image follow pulumi-docker's own provider.go.
"""

from pathlib import Path

from infra.rehearsal.docker.container import Container
from infra.rehearsal.docker.image import GetRegistryImage, GetRemoteImage, Image, RemoteImage, Tag
from infra.rehearsal.docker.network import Network, Volume
from infra.rehearsal.provider.resource import Cloud


def open_cloud(state_dir: Path, *, emulates: bool = False) -> Cloud:
    types = [Container, Image, Network, RemoteImage, Tag, Volume]
    return Cloud("docker", types, state_dir, [GetRegistryImage, GetRemoteImage])
