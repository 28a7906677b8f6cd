"""A tracking server on Azure: PostgreSQL or MySQL flexible server, Blob container, Key Vault, and
Container Instances or Container Apps, all in one resource group.

Deliberately not managed: DNS zones of your own (point a CNAME at the exported address), peering
into the network, and what an existing resource group or network holds beside this stack.
"""

from pulumi import Output

from infra.clouds.azure.artifacts import Artifacts
from infra.clouds.azure.database import Database
from infra.clouds.azure.identity import Identity
from infra.clouds.azure.image import Images
from infra.clouds.azure.network import make_network
from infra.clouds.azure.observability import Alerts, Logs
from infra.clouds.azure.parts import Parts
from infra.clouds.azure.scope import make_scope
from infra.clouds.azure.server import Server
from infra.inputs import Secrets
from infra.outputs import Deployment
from infra.plan.azure import AzurePlan
from runtime.settings.uris import without_password


def deploy(plan: AzurePlan, secrets: Secrets) -> Deployment:
    """Register the stack's resources."""
    scope = make_scope(plan)
    networks = make_network(plan, scope)
    identity = Identity(plan, secrets, scope)
    images = Images(plan, scope, identity)
    artifacts = Artifacts(plan, scope, identity, networks)
    parts = Parts(
        plan=plan,
        scope=scope,
        networks=networks,
        identity=identity,
        images=images,
        artifacts=artifacts,
        # The key that changes both, Azure may refuse of the account: then no database has gone.
        database=Database(plan, secrets, scope, identity, networks, [artifacts.account]),
        logs=Logs(plan, scope),
    )
    reached = Server(parts).reached
    Alerts(plan, scope, parts.logs, parts.database.server)
    return Deployment(
        tracking_uri=reached.uri,
        tracking_token=identity.secrets.token,
        artifacts_destination=plan.artifacts_destination,
        backup_destination=plan.backup_destination,
        earlier_backups=plan.earlier_backups,
        backend_store=Output.unsecret(parts.database.uri.apply(without_password)),
        schedules=plan.schedules,
        version=plan.version,
        logs=reached.logs,
        image=parts.images.runtime,
        ca_certificate=identity.secrets.ca_certificate,
        server_certificate=identity.secrets.server_certificate,
        backup_key=identity.secrets.backup_keys,
        protected=plan.settings.protect,
    )
