"""One part of a stack (network, database, ...) as a component, with its resources as children."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from pulumi import ROOT_STACK_RESOURCE, Alias, ComponentResource, ResourceOptions

_Scope = TypeVar("_Scope", bound="Scoped")


class Part(ComponentResource):
    """A part of a stack: ``trackstack:<cloud>:<Class>`` in the state.

    A subclass calls ``super().__init__("azure", name)``, gives each child ``self.child(opts)``,
    and ends with ``self.finish(...)``.
    """

    def __init__(self, cloud: str, name: str) -> None:
        super().__init__(f"trackstack:{cloud}:{type(self).__name__}", name)

    def child(self, opts: ResourceOptions | None = None) -> ResourceOptions:
        """``opts`` for a resource of this part.

        Up to version 0.1 resources had no parent: with the alias, a stack of that time keeps them.
        """
        alias = Alias(parent=ROOT_STACK_RESOURCE)
        return ResourceOptions.merge(opts, ResourceOptions(parent=self, aliases=[alias]))

    def finish(self, outputs: Mapping[str, Any] | None = None) -> None:
        """Tell the engine that the part is whole; the last thing that its constructor does."""
        self.register_outputs(dict(outputs or {}))


def holding_data(keep_data: bool) -> ResourceOptions:
    """For what holds data: always protected, and retained where the stack file keeps the data."""
    return ResourceOptions(retain_on_delete=keep_data, protect=True)


@dataclass(frozen=True, kw_only=True)
class Scoped:
    """How the resources of a stack in a cloud are made: ``opts`` says through which provider,
    ``data`` the same for what holds data.
    """

    opts: ResourceOptions
    data: ResourceOptions

    def within(self: _Scope, part: Part) -> _Scope:
        """The same for the resources of a part of the stack."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        options = {k: part.child(v) for k, v in values.items() if isinstance(v, ResourceOptions)}
        return replace(self, **options)

    def data_ignoring(self, *properties: str) -> ResourceOptions:
        """``data`` for what is made with ``properties`` and keeps them: what this program gives
        them later, by a newer version or a lost password, must not make the engine replace it.
        """
        return ResourceOptions.merge(self.data, ResourceOptions(ignore_changes=list(properties)))

    def after(self, *resources: Any) -> ResourceOptions:
        """``opts`` for what needs ``resources`` to be there first."""
        return ResourceOptions.merge(self.opts, ResourceOptions(depends_on=list(resources)))
