"""Where the stack's resources go: tenancy, compartment, region."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_oci as oci
from pulumi import InvokeOutputOptions, Output, ResourceOptions
from pulumi_oci import identity, objectstorage

from infra.clouds.shared.home import Home
from infra.clouds.shared.part import Scoped, holding_data
from infra.errors import StackError
from infra.plan.oci import OciPlan
from runtime.oci import login


def check_login(stack: str) -> None:
    """Raise StackError where the provider would log in as another than this process does."""
    given = login.missing(os.environ)
    if given:
        raise StackError(
            f"{given} says who logs in to OCI, which Pulumi's provider does not know by itself; "
            f'use `make`, or first: eval "$(python -m infra.operations.stack.login {stack})"'
        )


@dataclass(frozen=True, kw_only=True)
class Scope(Scoped):
    """``inside`` is what every resource of the compartment takes; ``kept`` is ``data`` for what
    has no provider; ``home`` is ``opts`` for identities and policies, which OCI changes in the
    tenancy's home region alone. ``namespace`` is the tenancy's in Object Storage and the container
    registry, ``availability_domains`` are the names of the region's, which are others in each
    tenancy, and ``availability_domain`` is the stack file's.
    """

    compartment: str
    tags: Mapping[str, str]
    namespace: Output[str]
    availability_domain: Output[str]
    availability_domains: Output[list[str]]
    kept: ResourceOptions
    home: ResourceOptions

    @property
    def inside(self) -> dict[str, Any]:
        return {"compartment_id": self.compartment, "freeform_tags": dict(self.tags)}

    @property
    def invoke(self) -> InvokeOutputOptions:
        """``opts`` for what is looked up."""
        return InvokeOutputOptions(provider=self.opts.provider)

    def here(self, *resources: Any) -> ResourceOptions:
        """For what this machine does itself, once ``resources`` are there."""
        own = self.opts
        return ResourceOptions(parent=own.parent, aliases=own.aliases, depends_on=list(resources))


def make_scope(plan: OciPlan) -> Scope:
    """The providers for the region and for the tenancy's home region."""
    settings = plan.settings
    check_login(pulumi.get_stack())
    here = ResourceOptions(depends_on=[Home(plan.home)])
    provider = oci.Provider("oci", region=settings.region, opts=here)
    opts = ResourceOptions(provider=provider)
    kept = holding_data(settings.keep_data)
    data = ResourceOptions.merge(opts, kept)
    compartment, invoke = settings.compartment_id, InvokeOutputOptions(provider=provider)
    subscribed = identity.get_region_subscriptions_output(
        tenancy_id=settings.tenancy_id, opts=invoke
    )
    home = oci.Provider("oci-home", region=subscribed.apply(_home_region), opts=here)
    found = objectstorage.get_namespace_output(compartment_id=compartment, opts=invoke)
    domains = identity.get_availability_domains_output(compartment_id=compartment, opts=invoke)
    number = settings.availability_domain
    names = domains.availability_domains.apply(lambda known: [domain.name for domain in known])
    name = names.apply(lambda known: known[min(number, len(known)) - 1])
    return Scope(
        compartment=compartment,
        tags=plan.tags,
        namespace=found.namespace,
        availability_domain=name,
        availability_domains=names,
        opts=opts,
        kept=kept,
        home=ResourceOptions(provider=home),
        data=data,
    )


def _home_region(subscribed: identity.GetRegionSubscriptionsResult) -> str:
    return next(one.region_name for one in subscribed.region_subscriptions if one.is_home_region)
