"""What Azure is asked before a stack is brought up, of Azure Resource Manager; `checks` decides."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from infra.operations.account import Account, Check, building
from infra.operations.account.azure import arm, checks, needs, network, rights, sizes
from infra.operations.account.azure.arm import Arm, ArmError, Body, at, each, log_in
from infra.operations.account.azure.checks import Answer
from infra.plan.azure import AzurePlan

# Questions side by side.
_THREADS = 8
_CAPABILITIES = {"postgresql": "2024-08-01", "mysql": "2023-12-30"}
_NETWORK, _ZONES, _USAGES = "2024-05-01", "2024-06-01", "2024-07-01"
_ROLES = "2022-04-01"
# https://github.com/Azure-Samples/azure-search-openai-demo/issues/2592
_BUILT_THERE = (
    "trackstack:imageBuild: acr (trial and some sponsored subscriptions refuse it: "
    "TasksOperationsNotAllowed)"
)


def look(plan: AzurePlan) -> Account:
    """Ask, and decide. Without a login nothing else can be asked."""
    login = None
    try:
        asked = log_in(plan.settings.subscription_id)
    except ArmError as error:
        found = [checks.login(plan, error)]
    else:
        login = asked.login
        with ThreadPoolExecutor(_THREADS) as pool:
            found = list(_Looking(plan, asked, pool).checks())
    if not plan.image.digest and plan.settings.image_build == "docker":
        found.append(building.check(_BUILT_THERE))
    return Account(tuple(found), rights.commands(plan, login))


def _is_in(group: str, id: str) -> bool:
    return f"/resourcegroups/{group}/".lower() in id.lower()


def _answer(asked: "Future[Body]") -> Answer[Body]:
    try:
        return asked.result()
    except (ArmError, OSError, ValueError) as error:
        return error


class _Looking:
    """All questions at once, and a line for each answer in order."""

    def __init__(self, plan: AzurePlan, arm: Arm, pool: ThreadPoolExecutor) -> None:
        self._plan, self._arm, self._pool = plan, arm, pool
        self._region = plan.settings.region

    def _ask(self, path: str, version: str, **more: Any) -> "Future[Body]":
        return self._pool.submit(self._arm.ask, path, version, **more)

    def _within(self, namespace: str, rest: str, version: str, **more: Any) -> "Future[Body]":
        where = f"{self._arm.root}/providers/{namespace}/locations/{self._region}/{rest}"
        return self._ask(where, version, **more)

    def checks(self) -> Iterator[Check]:
        plan, root = self._plan, self._arm.root
        asked = self._ask(root, "2022-12-01")
        providers = self._ask(f"{root}/providers", "2021-04-01")
        whole = self._of_roles(root, "permissions")
        later = [self._rights(whole), self._quotas(), self._names(), self._sizes(), self._network()]
        yield checks.subscription(plan, _answer(asked))
        if isinstance(_answer(asked), Exception):
            return
        yield rights.registered(plan, _answer(providers), _answer(whole))
        for decide in later:
            yield from decide()

    def _of_roles(self, scope: str, kind: str, **more: Any) -> "Future[Body]":
        """What counts there: roles on it and on what it is in."""
        return self._ask(f"{scope}/providers/Microsoft.Authorization/{kind}", _ROLES, **more)

    def _rights(self, whole: "Future[Body]") -> Callable[[], Iterator[Check]]:
        plan, login = self._plan, self._arm.login
        scope, here, group = self._arm.root, whole, None
        if plan.settings.resource_group:
            scope += f"/resourceGroups/{plan.settings.resource_group}"
            here, group = self._of_roles(scope, "permissions"), self._ask(scope, "2021-04-01")
        # https://learn.microsoft.com/azure/role-based-access-control/role-assignments-list-rest
        mine = {"$filter": f"atScope() and assignedTo('{login}')"}
        assigned = self._of_roles(scope, "roleAssignments", **mine) if login else None
        used = {use: self._of_roles(use.id, "permissions") for use in needs.uses(plan)}

        def decide() -> Iterator[Check]:
            if group:
                yield checks.group(plan, _answer(group))
            given = _answer(assigned) if assigned else dict[str, Any]()
            listed = [] if isinstance(given, Exception) else each(given, "value")
            ids = {str(at(one, "properties", "roleDefinitionId")) for one in listed}
            asked = {id: self._ask(id, _ROLES) for id in ids}
            definitions = {id: _answer(asked[id]) for id in ids}
            held = rights.Held(login, _answer(here), given, definitions)
            yield from rights.may(plan, held)
            for use, answer in used.items():
                yield rights.may_use(use, _answer(answer), login)

        return decide

    def _quotas(self) -> Callable[[], Iterator[Check]]:
        found = {q: self._within(q.path, "usages", q.version) for q in needs.quotas(self._plan)}
        return lambda: (checks.quota(quota, _answer(asked)) for quota, asked in found.items())

    def _names(self) -> Callable[[], Iterator[Check]]:
        found = {
            name: (
                self._ask(
                    self._arm.root + name.path,
                    name.version,
                    body={"name": name.name, "type": name.type},
                ),
                self._ask(name.id, name.version),
            )
            for name in needs.names(self._plan)
        }
        label, own = self._label()

        def decide() -> Iterator[Check]:
            for name, (asked, there) in found.items():
                is_own = not isinstance(_answer(there), Exception)
                yield checks.free(name, _answer(asked), is_own=is_own)
            if label and own:
                is_own = not isinstance(_answer(own), Exception)
                yield checks.label(self._plan, _answer(label), is_own=is_own)

        return decide

    def _label(self) -> "tuple[Future[Body] | None, Future[Body] | None]":
        """Whether the label of a public address is free, and the question for what has it."""
        settings, names = self._plan.settings, self._plan.names
        group = f"{self._arm.root}/resourceGroups/{names.resource_group}/providers"
        if settings.private or settings.compute == "scale":
            return None, None
        if settings.compute == "container":
            name = f"{names.dns_label}.{settings.region}.azurecontainer.io"
            label = self._pool.submit(arm.is_label_free, name)
            own = f"{group}/Microsoft.ContainerInstance/containerGroups/{names.base}"
            return label, self._ask(own, "2023-05-01")
        where, given = "CheckDnsNameAvailability", {"domainNameLabel": names.dns_label}
        label = self._within("Microsoft.Network", where, _NETWORK, **given)
        own = f"{group}/Microsoft.Compute/virtualMachines/{names.base}"
        return label, self._ask(own, _USAGES)

    def _sizes(self) -> Callable[[], Iterator[Check]]:
        plan, settings = self._plan, self._plan.settings
        machine = settings.compute == "vm"
        skus = usages = servers = None
        if machine:
            which = {"$filter": f"location eq '{self._region}'"}
            path = f"{self._arm.root}/providers/Microsoft.Compute/skus"
            skus = self._ask(path, "2021-07-01", **which)
            usages = self._within("Microsoft.Compute", "usages", _USAGES)
        if plan.own_database:
            namespace = needs.DATABASES[settings.database]
            servers = self._within(namespace, "capabilities", _CAPABILITIES[settings.database])

        def decide() -> Iterator[Check]:
            if skus and usages:
                yield from sizes.machine(plan, _answer(skus), _answer(usages))
            if servers:
                yield from sizes.database(plan, _answer(servers))

        return decide

    def _network(self) -> Callable[[], Iterator[Check]]:
        plan, id = self._plan, self._plan.settings.virtual_network_id
        if not id:
            return lambda: iter(())
        asked = self._ask(id, _NETWORK)
        path = f"{self._arm.root}/providers/Microsoft.Network/privateDnsZones"
        listed = self._ask(path, _ZONES) if needs.zones(plan) else None

        def decide() -> Iterator[Check]:
            yield from network.room(plan, _answer(asked))
            shown = _answer(listed) if listed else dict[str, Any]()
            known = [] if isinstance(shown, Exception) else each(shown, "value")
            for name, given in needs.zones(plan).items():
                ids = {str(one["id"]) for one in known if str(one["id"]).endswith(f"/{name}")}
                if not plan.settings.resource_group:
                    # What is in a group of the stack's own, it has made.
                    ids = {one for one in ids if not _is_in(plan.names.resource_group, one)}
                ids |= {given} if given else set()
                links = {one: self._ask(f"{one}/virtualNetworkLinks", _ZONES) for one in ids}
                found = {one: network.link(id, _answer(links[one])) for one in links}
                yield network.zone(name, given, id, found)

        return decide
