"""What a stack on Azure needs of its subscription. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.clouds.azure import DATABASE_ZONES
from infra.plan.azure import AzurePlan

# By compute: what it is made of.
_COMPUTES = {
    "container": "Microsoft.ContainerInstance/containerGroups",
    "scale": "Microsoft.App/containerApps",
    "vm": "Microsoft.Compute/virtualMachines",
}
_GROUP = "Microsoft.Resources/subscriptions/resourceGroups"
DATABASES = {"postgresql": "Microsoft.DBforPostgreSQL", "mysql": "Microsoft.DBforMySQL"}


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
        *(("Microsoft.Insights/dataCollectionRules",) if settings.compute == "vm" else ()),
        *(("Microsoft.Insights/actionGroups",) if settings.alert_email else ()),
    )


def beforehand(plan: AzurePlan) -> tuple[str, ...]:
    """Resource providers that `up` does not register: the one that makes a Container Apps
    environment in a network asks for another by an error that no SDK knows.

    https://github.com/Azure/bicep/issues/14935, and `MissingSubscriptionRegistration` in
    https://github.com/Azure/azure-sdk-for-go/blob/main/sdk/azcore/arm/runtime/policy_register_rp.go
    """
    return ("Microsoft.ContainerService",) if plan.settings.compute == "scale" else ()


def namespaces(plan: AzurePlan) -> tuple[str, ...]:
    """The resource providers that the subscription must have registered."""
    made = dict.fromkeys(type.partition("/")[0] for type in types(plan))
    return (*made, *beforehand(plan))


def actions(plan: AzurePlan) -> tuple[str, ...]:
    """Of each kind that the stack makes one that the login must be allowed."""
    group = () if plan.settings.resource_group else (_GROUP,)
    return tuple(f"{type}/write" for type in (*group, *types(plan)))


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


@dataclass(frozen=True)
class Use:
    """What the stack does in what is not its own: ``role`` allows these ``actions``."""

    what: str
    id: str
    role: str
    actions: tuple[str, ...]


def uses(plan: AzurePlan) -> tuple[Use, ...]:
    """Of the network and the private zones that the stack file names.

    https://learn.microsoft.com/azure/private-link/rbac-permissions
    https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/networking
    """
    settings, kind = plan.settings, "Microsoft.Network/virtualNetworks"
    if not settings.virtual_network_id:
        return ()
    # A zone that is made is linked to the network: the server's own name has one, and a database.
    is_given = settings.zone_id(DATABASE_ZONES[settings.database])
    links = settings.private or (plan.own_database and not is_given)
    actions = (
        f"{kind}/subnets/write",
        f"{kind}/subnets/join/action",
        *((f"{kind}/join/action",) if links else ()),
    )
    join = ("Microsoft.Network/privateDnsZones/join/action",)
    return (
        Use("network", settings.virtual_network_id, "Network Contributor", actions),
        *(
            Use(f"zone {zone}", id, "Private DNS Zone Contributor", join)
            for zone, id in zones(plan).items()
            if id
        ),
    )


def zones(plan: AzurePlan) -> Mapping[str, str | None]:
    """Private DNS zones of a name that all stacks share, and the id that the stack file gives; the
    database's only where it is given, because one that is made has a name of its own.
    """
    settings = plan.settings
    shared = list[str]()
    if settings.private:
        shared.append("privatelink.blob.core.windows.net")
        if settings.compute != "container":
            shared.append("privatelink.vaultcore.azure.net")
    found = {zone: settings.zone_id(zone) for zone in shared}
    given = settings.zone_id(DATABASE_ZONES[settings.database]) if plan.own_database else None
    return {**found, given.rpartition("/")[2]: given} if given else found
