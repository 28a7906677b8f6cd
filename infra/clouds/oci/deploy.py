"""A tracking server on OCI: MySQL DB system, Object Storage bucket, Vault, and behind a network
load balancer a Container Instance, a virtual machine or a pool of them, all in one compartment.

Deliberately not managed: the compartment, DNS zones (point a name at the exported address), and
peering or a bastion into the network.
"""

from pulumi import Output

from infra.clouds.oci.artifacts import Artifacts
from infra.clouds.oci.database import Database
from infra.clouds.oci.identity import Identity
from infra.clouds.oci.image import Images
from infra.clouds.oci.network import Network
from infra.clouds.oci.observability import Alarms
from infra.clouds.oci.scope import make_scope
from infra.clouds.oci.server import Balancer, Server
from infra.clouds.oci.server.parts import Parts
from infra.clouds.oci.vault import Vault
from infra.inputs import Secrets
from infra.outputs import Deployment
from infra.plan.oci import OciPlan
from runtime.settings.uris import without_password


def deploy(plan: OciPlan, secrets: Secrets) -> Deployment:
    """Register the stack's resources."""
    scope = make_scope(plan)
    networks = Network(plan, scope)
    identity = Identity(plan, secrets, scope)
    balancer = Balancer(plan, scope, networks)
    vault = Vault(plan, scope, identity)
    parts = Parts(
        plan=plan,
        scope=scope,
        networks=networks,
        identity=identity,
        images=Images(plan, scope, identity),
        artifacts=Artifacts(plan, scope, identity),
        database=Database(plan, secrets, scope, identity, networks, vault),
        address=balancer.address,
    )
    Alarms(plan, scope, identity, balancer.id, parts.database.system)
    server = Server(parts, vault, balancer)
    shown = parts.database.shown
    if secrets.backend_store_uri:
        shown = Output.unsecret(shown.apply(without_password))
    return Deployment(
        tracking_uri=parts.known(plan.tracking_uri),
        tracking_token=identity.secrets.token,
        artifacts_destination=parts.known(plan.artifacts_destination),
        backup_destination=parts.known(plan.backup_destination),
        earlier_backups=parts.known(plan.earlier_backups) if plan.earlier_backups else None,
        backend_store=shown,
        schedules=plan.schedules,
        version=plan.version,
        logs=server.logs,
        image=parts.images.runtime,
        ca_certificate=identity.secrets.ca_certificate,
        server_certificate=identity.secrets.server_certificate,
        backup_key=identity.secrets.backup_keys,
        protected=plan.settings.protect,
    )
