"""What a stack on Azure needs of its subscription. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.plan.azure import AzurePlan

# By compute: what it is made of.
_COMPUTES = {
    "container": "Microsoft.ContainerInstance/containerGroups",
    "scale": "Microsoft.App/containerApps",
    "vm": "Microsoft.Compute/virtualMachines",
}
_GROUP = "Microsoft.Resources/subscriptions/resourceGroups"
DATABASES = {"postgresql": "Microsoft.DBforPostgreSQL", "mysql": "Microsoft.DBforMySQL"}
ASSIGN = "Microsoft.Authorization/roleAssignments/write"


def types(plan: AzurePlan) -> tuple[str, ...]:
    """Of each resource provider that the stack needs one type of what it makes."""
    settings = plan.settings
    servers = f"{DATABASES[settings.database]}/flexibleServers"
    return (
        "Microsoft.ContainerRegistry/registries",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "Microsoft.OperationalInsights/workspaces",
        "Microsoft.Storage/storageAccounts",
        _COMPUTES[settings.compute],
        *((servers,) if plan.own_database else ()),
        *(("Microsoft.KeyVault/vaults",) if settings.compute != "container" else ()),
        *(("Microsoft.Network/networkSecurityGroups",) if settings.is_networked else ()),
        *(("Microsoft.Insights/actionGroups",) if settings.alert_email else ()),
    )


def namespaces(plan: AzurePlan) -> tuple[str, ...]:
    """The resource providers that the subscription must have registered."""
    return tuple(type.partition("/")[0] for type in types(plan))


def actions(plan: AzurePlan) -> tuple[str, ...]:
    """Of each kind that the stack makes one that the login must be allowed."""
    group = () if plan.settings.resource_group else (_GROUP,)
    return (ASSIGN, *(f"{type}/write" for type in (*group, *types(plan))))


@dataclass(frozen=True)
class Quota:
    """``needed`` of what Azure counts at ``path`` under the name ``counted``."""

    what: str
    path: str
    version: str
    counted: str
    needed: float


def quotas(plan: AzurePlan) -> tuple[Quota, ...]:
    """What the stack uses of what Azure limits in the region, but for a machine's and the
    database's cores, which count by family.
    """
    settings = plan.settings
    if settings.compute == "container":
        kind, where = "Microsoft.ContainerInstance", "2023-05-01"
        of_compute = (
            Quota("container groups", kind, where, "ContainerGroups", 1),
            Quota("CPUs of container groups", kind, where, "StandardCores", settings.cpus),
        )
    elif settings.compute == "scale":
        count, what = "ManagedEnvironmentCount", "Container Apps environments"
        of_compute = (Quota(what, "Microsoft.App", "2024-03-01", count, 1),)
    else:
        of_compute = ()
    network = "Microsoft.Network", "2024-05-01"
    addresses = int(settings.private and settings.compute != "scale") + int(
        settings.compute == "vm" and not settings.private
    )
    return (
        *of_compute,
        Quota("storage accounts", "Microsoft.Storage", "2023-05-01", "StorageAccounts", 1),
        *(
            (Quota("virtual networks", *network, "VirtualNetworks", 1),)
            if settings.is_networked and not settings.virtual_network_id
            else ()
        ),
        *((Quota("public addresses", *network, "PublicIPAddresses", 1),) if addresses else ()),
    )


@dataclass(frozen=True)
class Name:
    """A name that nobody else in Azure may have; ``id`` is the resource's where it is the stack's.

    Asked at ``path`` for a resource of ``type``.
    """

    what: str
    name: str
    type: str
    path: str
    version: str
    id: str


def names(plan: AzurePlan) -> tuple[Name, ...]:
    """Those that the plan decides; a vault's ends with what the engine makes anew each time."""
    group = f"/subscriptions/{plan.settings.subscription_id}/resourceGroups"
    own = f"{group}/{plan.names.resource_group}/providers"

    def name(what: str, name: str, type: str, version: str, below: str = "") -> Name:
        namespace = type.partition("/")[0]
        path = f"/providers/{namespace}{below}/checkNameAvailability"
        return Name(what, name, type, path, version, f"{own}/{type}/{name}")

    registry = "Microsoft.ContainerRegistry/registries"
    storage = "Microsoft.Storage/storageAccounts"
    found = [
        name("registry", plan.names.registry, registry, "2023-07-01"),
        name("storage account", plan.names.storage_account, storage, "2023-05-01"),
    ]
    if plan.own_database:
        server = f"{DATABASES[plan.settings.database]}/flexibleServers"
        version = {"postgresql": "2024-08-01", "mysql": "2023-12-30"}[plan.settings.database]
        within = f"/locations/{plan.settings.region}"
        found.append(name("database server", plan.names.database_server, server, version, within))
    return tuple(found)


def rights(plan: AzurePlan) -> tuple[str, ...]:
    """Commands that give a login all that `make up` and `make down` do."""
    settings = plan.settings
    scope = f"/subscriptions/{settings.subscription_id}"
    if settings.resource_group:
        scope += f"/resourceGroups/{settings.resource_group}"
    return tuple(
        f'az role assignment create --assignee LOGIN --role "{role}" --scope {scope}'
        for role in ("Contributor", "Role Based Access Control Administrator")
    )


def zones(plan: AzurePlan) -> Mapping[str, str | None]:
    """Private DNS zones of a name that all stacks share, and the id that the stack file gives."""
    settings = plan.settings
    if not settings.private:
        return {}
    shared = ["privatelink.blob.core.windows.net"]
    if settings.compute != "container":
        shared.append("privatelink.vaultcore.azure.net")
    return {zone: settings.zone_id(zone) for zone in shared}
