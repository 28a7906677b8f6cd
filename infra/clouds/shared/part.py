"""One part of a stack (network, database, ...) as a component, with its resources as children."""

from collections.abc import Mapping
from typing import Any

from pulumi import ROOT_STACK_RESOURCE, Alias, ComponentResource, ResourceOptions


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
