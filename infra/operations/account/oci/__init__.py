"""What OCI is asked before a stack is brought up, by its SDK; `checks` decides on it."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from infra.operations.account import Account, building
from infra.operations.account.oci.checks import Answer, Facts, checks, limits_of, rights
from infra.plan.oci import OciPlan
from runtime.errors import UserError
from runtime.oci import login

_Result = TypeVar("_Result")


def look(plan: OciPlan) -> Account:
    """Ask, and decide. Without a login nothing else can be asked."""
    who = _asked(lambda: _who(plan))
    facts = (
        Facts(who, docker=building.answers()) if isinstance(who, Exception) else _facts(plan, who)
    )
    return Account(tuple(checks(plan, facts)), rights(plan))


def _asked(call: Callable[[], _Result]) -> Answer[_Result]:
    from oci.exceptions import ServiceError

    try:
        return call()
    except (UserError, ServiceError, OSError) as error:
        return error


def _client(plan: OciPlan, service: str, kind: str) -> Any:
    made = login.client(service, kind)
    made.base_client.set_region(plan.settings.region)
    return made


def _who(plan: OciPlan) -> str:
    """The tenancy that the login is of."""
    del plan
    return login.tenancy()


def _facts(plan: OciPlan, who: str) -> Facts:
    settings = plan.settings
    identity = _client(plan, "identity", "IdentityClient")
    inside = settings.compartment_id
    domains = _asked(lambda: [d.name for d in identity.list_availability_domains(inside).data])
    known = domains if isinstance(domains, list) else []
    domain = known[min(settings.availability_domain, len(known)) - 1] if known else ""
    secret = settings.database_secret_id
    return Facts(
        who,
        regions=_asked(
            lambda: {
                region.region_name: region.is_home_region
                for region in identity.list_region_subscriptions(settings.tenancy_id).data
            }
        ),
        compartment=_asked(lambda: str(identity.get_compartment(inside).data.lifecycle_state)),
        domains=domains,
        shapes=_asked(lambda: _shapes(plan, domain)),
        limits={
            limit: _asked(lambda limit=limit: _left(plan, limit.service, limit.pattern, domain))
            for limit in limits_of(plan)
        },
        secret=_asked(lambda: _compartment_of(plan, secret)) if secret else None,
        docker=building.answers(),
    )


def _every(method: Callable[..., Any], *given: Any, **options: Any) -> list[Any]:
    from oci import pagination

    return cast(Any, pagination).list_call_get_all_results(method, *given, **options).data


def _shapes(plan: OciPlan, domain: str) -> list[str]:
    inside = plan.settings.compartment_id
    if plan.settings.compute == "container":
        client = _client(plan, "container_instances", "ContainerInstanceClient")
        method = client.list_container_instance_shapes
    else:
        method = _client(plan, "core", "ComputeClient").list_shapes
    named: Any = method(inside, availability_domain=domain).data
    return [str(getattr(one, "shape", None) or one.name) for one in getattr(named, "items", named)]


def _left(plan: OciPlan, service: str, pattern: str, domain: str) -> float | None:
    """How much of a limit is left; None where the service has none of that name."""
    import re

    client = _client(plan, "limits", "LimitsClient")
    tenancy = plan.settings.tenancy_id
    values = _every(client.list_limit_values, tenancy, service)
    found = [v for v in values if re.fullmatch(pattern, v.name)]
    here = [v for v in found if v.availability_domain in (None, domain)]
    if not here:
        return None
    [limit, *_] = here
    where = {"availability_domain": domain} if limit.availability_domain else {}
    answer = client.get_resource_availability(service, limit.name, tenancy, **where).data
    return limit.value if answer.available is None else float(answer.available)


def _compartment_of(plan: OciPlan, secret: str) -> str:
    client = _client(plan, "vault", "VaultsClient")
    return str(client.get_secret(secret).data.compartment_id)
