"""Whether an account of OCI is ready for a stack, by what OCI answered. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from infra.operations.account import Check, building
from infra.plan.oci import OciPlan

_Value = TypeVar("_Value")
# What was asked for, or why there was no answer.
Answer = _Value | Exception
_CONSOLE = "Governance > Limits, Quotas and Usage in OCI's console"


@dataclass(frozen=True)
class Limit:
    """``needed`` of what OCI counts under a name of ``service`` that has the ``pattern``."""

    what: str
    service: str
    pattern: str
    needed: float


@dataclass(frozen=True)
class Facts:
    """What OCI answered. ``who`` is the login's tenancy; ``regions`` are the tenancy's, and whether
    each is its home; ``secret`` is the compartment of the stack file's secret.
    """

    who: Answer[str]
    regions: Answer[Mapping[str, bool]] | None = None
    compartment: Answer[str] | None = None
    domains: Answer[list[str]] | None = None
    shapes: Answer[list[str]] | None = None
    limits: Mapping[Limit, Answer[float | None]] = field(
        default_factory=dict[Limit, "Answer[float | None]"]
    )
    secret: Answer[str] | None = None
    docker: bool = False


def limits_of(plan: OciPlan) -> tuple[Limit, ...]:
    """What the stack will use of what OCI limits."""
    settings = plan.settings
    replicas = settings.max_replicas if settings.compute == "scale" else 1
    family = plan.compute_shape.split(".")[2].lower()
    found = [
        Limit(
            f"OCPUs of {plan.compute_shape}",
            "compute",
            f"(ci-)?standard-{family}(-flex)?-core-count",
            plan.ocpus * replicas,
        )
    ]
    if not settings.vcn_id:
        found.append(Limit("networks", "vcn", "vcn-count", 1))
    if plan.makes_vault:
        found.append(Limit("vaults", "kms", "(virtual-|software-)?vault-count", 1))
    return tuple(found)


def rights(plan: OciPlan) -> tuple[str, ...]:
    """Statements that give a group all that `make up` and `make down` do."""
    settings = plan.settings
    within = f"in compartment id {settings.compartment_id}"
    databases = {"mysql": "mysql-family", "postgresql": "postgres-db-systems"}
    families = [
        *("virtual-network-family", "network-load-balancers", "object-family", "repos", "policies"),
        *(("vaults",) if plan.makes_vault else ()),
        *(("keys", "secret-family") if plan.keeps_secrets else ()),
        *((databases[settings.database],) if plan.workloads.of("init") else ()),
        *(
            ("compute-container-family",)
            if settings.compute == "container"
            else ("instance-family", "logging-family")
        ),
        *(
            ("compute-management-family", "auto-scaling-configurations")
            if settings.compute == "scale"
            else ()
        ),
        *(("alarms", "ons-family") if settings.alert_email else ()),
    ]
    return (
        "allow group GROUP to manage dynamic-groups in tenancy",
        "allow group GROUP to inspect tenancies in tenancy",
        *(f"allow group GROUP to manage {family} {within}" for family in families),
        *((f"allow group GROUP to read metrics {within}",) if settings.alert_email else ()),
        *(
            (f"allow group GROUP to use vaults in tenancy where target.vault.id = '{given}'",)
            if (given := settings.vault_id) and plan.keeps_secrets
            else ()
        ),
    )


def checks(plan: OciPlan, facts: Facts) -> Iterator[Check]:
    """A line for each thing that was looked at."""
    yield _login(plan, facts.who)
    if isinstance(facts.who, Exception):
        return
    yield from _regions(plan, facts.regions)
    if facts.compartment is not None:
        yield _compartment(facts.compartment)
    yield from _shapes(plan, facts.shapes)
    for limit, left in facts.limits.items():
        yield _limit(limit, left)
    if facts.secret is not None:
        yield _secret(plan, facts.secret)
    if not plan.image.digest:
        yield building.decide(facts.docker)


def said(error: Exception) -> str:
    """The service's own words, in one line."""
    message = str(getattr(error, "message", None) or error).strip()
    status = getattr(error, "status", None)
    return f"{message.splitlines()[0] if message else type(error).__name__}" + (
        f" ({status})" if status else ""
    )


def _login(plan: OciPlan, who: Answer[str]) -> Check:
    if isinstance(who, Exception):
        return Check("login", False, said(who), "oci setup config, or oci session authenticate")
    good = who == plan.settings.tenancy_id
    cure = "trackstack:tenancyId names another; log in to it, by OCI_CONFIG_PROFILE, or change it"
    return Check("login", good, f"works, of {who}", cure)


def _regions(plan: OciPlan, regions: Answer[Mapping[str, bool]] | None) -> Iterator[Check]:
    if isinstance(regions, Exception):
        cure = "allow group GROUP to inspect tenancies in tenancy"
        yield Check("regions", False, said(regions), cure)
    elif regions is not None:
        region = plan.settings.region
        home = next((name for name, is_home in regions.items() if is_home), "unknown")
        cure = "have the tenancy's administrator subscribe to it, or take one of: "
        yield Check(
            "region", region in regions, f"{region}; home is {home}", cure + ", ".join(regions)
        )


def _compartment(state: Answer[str]) -> Check:
    if isinstance(state, Exception):
        cure = "trackstack:compartmentId names none that the login may see"
        return Check("compartment", False, said(state), cure)
    return Check("compartment", state == "ACTIVE", state.lower(), "take one that is active")


def _shapes(plan: OciPlan, shapes: Answer[list[str]] | None) -> Iterator[Check]:
    if isinstance(shapes, Exception):
        yield Check("shapes", None, said(shapes))
    elif shapes is not None:
        there = ", ".join(sorted(name for name in shapes if name.endswith(".Flex")))
        cure = f"trackstack:computeShape: one of {there or 'another region has'}"
        is_there = plan.compute_shape in shapes
        found = f"{plan.compute_shape} {'is' if is_there else 'is not'} in the availability domain"
        yield Check("shape", is_there, found, cure)


def _limit(limit: Limit, left: Answer[float | None]) -> Check:
    if isinstance(left, Exception):
        return Check(limit.what, None, f"{said(left)}; see {_CONSOLE}")
    if left is None:
        return Check(limit.what, None, f"OCI has no such limit; see {_CONSOLE}")
    found = f"{left:g} left, {limit.needed:g} needed"
    return Check(limit.what, left >= limit.needed, found, f"ask for more: {_CONSOLE}")


def _secret(plan: OciPlan, compartment: Answer[str]) -> Check:
    if isinstance(compartment, Exception):
        return Check("databaseSecretId", False, said(compartment), "it must be one you may read")
    good = compartment == plan.settings.compartment_id
    cure = "the server may read secrets of the stack's compartment alone; move it there"
    return Check("databaseSecretId", good, f"in {compartment}", cure)
