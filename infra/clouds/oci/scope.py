"""Where the stack's resources go: tenancy, compartment, region."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi_oci as oci
from pulumi import InvokeOutputOptions, Output, ResourceOptions
from pulumi_oci import identity, objectstorage

from infra.clouds.shared.home import Home
from infra.clouds.shared.part import Scoped, holding_data
from infra.plan.oci import OciPlan


@dataclass(frozen=True, kw_only=True)
class Scope(Scoped):
    """``inside`` is what every resource of the compartment takes; ``kept`` is ``data`` for what
    has no provider. ``namespace`` is the tenancy's in Object Storage and the container registry,
    ``availability_domains`` are the names of the region's, which are others in each tenancy, and
    ``availability_domain`` is the stack file's.
    """

    compartment: str
    tags: Mapping[str, str]
    namespace: Output[str]
    availability_domain: Output[str]
    availability_domains: Output[list[str]]
    kept: ResourceOptions

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
    """The provider for the region, with the login that it finds."""
    settings = plan.settings
    home = Home(plan.home)
    provider = oci.Provider("oci", region=settings.region, opts=ResourceOptions(depends_on=[home]))
    opts = ResourceOptions(provider=provider)
    kept = holding_data(settings.keep_data)
    data = ResourceOptions.merge(opts, kept)
    compartment, invoke = settings.compartment_id, InvokeOutputOptions(provider=provider)
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
        data=data,
    )
