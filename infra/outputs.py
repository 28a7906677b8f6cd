"""What every stack exports: the same names on every cloud."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class Deployment:
    """A deployed tracking server, as its users and other stacks see it."""

    tracking_uri: pulumi.Input[str]
    tracking_token: pulumi.Output[str]
    artifacts_destination: pulumi.Input[str]
    backup_destination: pulumi.Input[str]
    backend_store: pulumi.Input[str]
    schedules: Mapping[str, str]
    version: str
    logs: pulumi.Input[str]
    image: pulumi.Input[str] | None = None
    ca_certificate: pulumi.Input[str] | None = None
    command: pulumi.Input[str] | None = None
    protected: bool = False


def export(deployment: Deployment, retention: Mapping[str, str]) -> None:
    """Export the stack's outputs.

    ``retention`` is what `environment.retention` makes of the stack file.
    ``logs`` is the command that shows the server's log; ``image`` what another stack may run by
    its key ``image``; ``command`` how `trackstack` is run there, from this machine, with the words
    that follow it; ``ca_certificate`` the authority to trust where it is the stack's own.
    """
    pulumi.export("tracking_uri", deployment.tracking_uri)
    pulumi.export("registry_uri", deployment.tracking_uri)
    pulumi.export("tracking_token", pulumi.Output.secret(deployment.tracking_token))
    pulumi.export("artifacts_destination", deployment.artifacts_destination)
    pulumi.export("backup_destination", deployment.backup_destination)
    pulumi.export("backend_store", deployment.backend_store)
    pulumi.export("schedules", dict(deployment.schedules))
    pulumi.export("retention", dict(retention))
    pulumi.export("version", deployment.version)
    pulumi.export("logs", deployment.logs)
    pulumi.export("protected", deployment.protected)
    if deployment.command is not None:
        pulumi.export("command", deployment.command)
    if deployment.image is not None:
        pulumi.export("image", deployment.image)
    if deployment.ca_certificate is not None:
        pulumi.export("ca_certificate", deployment.ca_certificate)
