"""What every stack exports: the same names on every cloud."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

# Output -> what it is.
OUTPUTS = {
    "tracking_uri": "The server's address, for clients and people: MLFLOW_TRACKING_URI.",
    "registry_uri": "The model registry's address, which is the same.",
    "tracking_token": "The stack's own token, of role `admin`: a secret; `make token` prints it.",
    "artifacts_destination": "Where artifacts are kept.",
    "backup_destination": "Where backups go.",
    "earlier_backups": "Where an earlier version kept them: those are found, too.",
    "backup_key": "What opens encrypted backups: a secret, to be kept elsewhere, too.",
    "backend_store": "The backend store's URI, without its password.",
    "schedules": "Job -> when it runs, for those that do.",
    "retention": "What is deleted, and after how long.",
    "version": "The versions of Trackstack and MLflow.",
    "logs": "The command that shows the server's log.",
    "protected": "Whether `make down` asks for the stack's name though nothing is lost.",
    "command": "How `trackstack` is run beside the server, with the words that follow it; none "
    "where nobody can run a command.",
    "image": "The image that runs, by digest: what another stack may run by its key `image`.",
    "ca_certificate": "The authority to trust, in PEM, where it is the stack's own.",
    "server_certificate": "The server's certificate and chain, in PEM, where the stack file names "
    "it (`tls: files`): `make` trusts it.",
}


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
    server_certificate: pulumi.Input[str] | None = None
    earlier_backups: pulumi.Input[str] | None = None
    backup_key: pulumi.Output[str] | None = None
    command: pulumi.Input[str] | None = None
    protected: bool = False


def export(
    deployment: Deployment, retention: Mapping[str, str], made: Sequence[pulumi.Resource]
) -> None:
    """Export the stack's outputs, once all of ``made`` is there.

    An update that fails so leaves them as they were: the server that is up has the stores that
    they tell, and to go back to these takes nothing.

    ``retention`` is what `environment.retention` makes of the stack file.
    """
    # The URNs are known in a preview, too.
    there = pulumi.Output.all(*(resource.urn for resource in made))
    store = pulumi.Output.all(deployment.backend_store, there).apply(lambda both: str(both[0]))
    values: dict[str, Any] = {
        **vars(deployment),
        "registry_uri": deployment.tracking_uri,
        "tracking_token": pulumi.Output.secret(deployment.tracking_token),
        "backup_key": deployment.backup_key and pulumi.Output.secret(deployment.backup_key),
        "schedules": dict(deployment.schedules),
        "retention": dict(retention),
        "backend_store": store,
    }
    for name in OUTPUTS:
        if values[name] is not None:
            pulumi.export(name, values[name])
