"""Where the stack's resources go: subscription, resource group, region."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi_azure_native as azure
from pulumi import (
    Alias,
    Output,
    ResourceOptions,
    ResourceTransformationArgs,
    ResourceTransformationResult,
)
from pulumi_azure_native import resources

from infra.clouds.shared.home import Home
from infra.clouds.shared.part import Scoped, holding_data
from infra.plan.azure import AzurePlan

_OF_A_VERSION = re.compile(r"/v\d{8}")


@dataclass(frozen=True, kw_only=True)
class Scope(Scoped):
    """``inside`` is what every resource of the group takes."""

    group: Output[str]
    region: str
    tags: Mapping[str, str]

    @property
    def nested(self) -> dict[str, Any]:
        """For a resource within another, which has neither region nor tags."""
        return {"resource_group_name": self.group}

    @property
    def inside(self) -> dict[str, Any]:
        return {**self.nested, "location": self.region, "tags": dict(self.tags)}


def make_scope(plan: AzurePlan) -> Scope:
    """The resource group: the stack's own, unless the stack file names one."""
    settings = plan.settings
    home = Home(plan.home)
    provider = azure.Provider(
        "azure",
        subscription_id=settings.subscription_id,
        opts=ResourceOptions(depends_on=[home]),
    )
    opts = ResourceOptions(provider=provider, transformations=[_without_versions])
    data = ResourceOptions.merge(opts, holding_data(settings.keep_data))
    if settings.resource_group:
        group = Output.from_input(settings.resource_group)
    else:
        made = resources.ResourceGroup(
            "group",
            resource_group_name=plan.names.resource_group,
            location=settings.region,
            tags=dict(plan.tags),
            # With its group, Azure deletes all that is in it.
            opts=data,
        )
        group = made.name
    return Scope(group=group, region=settings.region, tags=plan.tags, opts=opts, data=data)


def _without_versions(args: ResourceTransformationArgs) -> ResourceTransformationResult:
    """Drop the aliases for states of older versions of an API, which no state of ours can be: the
    SDK gives each resource dozens, and they are a third of the time of a preview.
    """
    kept = [alias for alias in args.opts.aliases or () if not _is_of_a_version(alias)]
    args.opts.aliases = kept or None
    return ResourceTransformationResult(args.props, args.opts)


def _is_of_a_version(alias: object) -> bool:
    kind = alias.type_ if isinstance(alias, Alias) else None
    return isinstance(kind, str) and bool(_OF_A_VERSION.search(kind))


def replaced_for(*properties: str) -> ResourceOptions:
    """For what is made anew where one of these changes: the provider changes it in place, which
    Azure refuses. Its name is fixed, so that the old one goes first.
    """
    if not properties:
        return ResourceOptions()
    return ResourceOptions(replace_on_changes=list(properties), delete_before_replace=True)
