"""What all of Azure's resources share: ids, groups, places, parents."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, cast

from infra.clouds.nested import inside
from infra.rehearsal.azure.emulator import Emulator
from infra.rehearsal.azure.ids import LOCATIONS, group_id, place
from infra.rehearsal.provider import metadata
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.metadata import Problem
from infra.rehearsal.provider.resource import Resource
from infra.rehearsal.provider.values import Props, child


class AzureResource(Resource):
    """A resource in a group. ``kind`` is its path of types, ``parents`` the inputs that name its
    parents from the outside in."""

    kind: ClassVar[str]
    parents: ClassVar[tuple[str, ...]] = ()
    # Beside what is in its path and its place, the inputs for which the provider makes another:
    # those that its specification says can only be given at creation, at the top alone.
    # https://github.com/pulumi/pulumi-azure-native/blob/v3.29.0/provider/pkg/gen/replacement.go
    created_with: ClassVar[frozenset[str]] = frozenset()
    # Inputs, as dotted paths, that the provider asks Azure to change and that Azure does not, with
    # Azure's error; lists count as what is in them.
    refused: ClassVar[Mapping[str, str]] = {}
    # Inputs, as dotted paths, that Azure changes to more alone, with Azure's error.
    growing: ClassVar[Mapping[str, str]] = {}
    # Inputs, as dotted paths, of whose values the SDK names only some: `verify` has those that
    # Azure takes.
    newer: ClassVar[frozenset[str]] = frozenset()
    # What Azure says where others that are there name its id; empty where it does not look.
    in_use: ClassVar[str] = ""
    # Where it may be.
    places: ClassVar[tuple[str, ...]] = LOCATIONS
    autoname_separator = ""

    @property
    def emulator(self) -> Emulator | None:
        """What runs it on this machine; None where it is only checked."""
        return getattr(self.cloud, "emulator", None)

    @classmethod
    def problems(cls, inputs: Props) -> Iterator[Problem]:
        found = super().problems(inputs)
        return (problem for problem in found if problem.path not in cls.newer)

    @classmethod
    def replace_paths(cls) -> frozenset[str]:
        path = {"resourceGroupName", "location", cls.name_input, *cls.parents}
        return frozenset(path | cls.created_with)

    def defaults(self, inputs: Props) -> Props:
        """As the provider does it: the place is its own, else that of the group."""
        if "location" in inputs or "location" not in self.input_names():
            return {}
        group = inputs.get("resourceGroupName")
        record = self.store.get(group_id(group)) if isinstance(group, str) else None
        found = self.call.config.get("location") or (record.props["location"] if record else None)
        return {"location": found} if found else {}

    def identify(self, inputs: Props) -> str:
        provider, *kinds = self.kind.split("/")
        names = [inputs[name] for name in (*self.parents, self.name_input)]
        path = "/".join(f"{kind}/{name}" for kind, name in zip(kinds, names, strict=True))
        return f"{group_id(inputs['resourceGroupName'])}/providers/{provider}/{path}"

    def parent_id(self, inputs: Props) -> str:
        return self.identify(inputs).rsplit("/", 2)[0]

    def parent(self, inputs: Props) -> Props:
        """The parent, which must be there."""
        record = self.store.get(self.parent_id(inputs))
        if record is None:
            raise refusal(
                "ParentResourceNotFound",
                "Can not perform requested operation on nested resource. Parent resource"
                f" '{inputs[self.parents[-1]]}' not found.",
                404,
            )
        return record.props

    def verify(self, inputs: Props) -> None:
        group = inputs["resourceGroupName"]
        if not self.store.get(group_id(group)):
            message = f"Resource group '{group}' could not be found."
            raise refusal("ResourceGroupNotFound", message, 404)
        if self.parents:
            self.parent(inputs)
        location = inputs.get("location")
        if location and place(location) not in self.places:
            raise refusal(
                "LocationNotAvailableForResourceType",
                f"The provided location '{location}' is not available for resource type"
                f" '{self.kind}'. List of available regions for the resource type is"
                f" '{','.join(self.places)}'.",
            )

    def update(self, id: str, inputs: Props, known: Props) -> Props:
        for path, code in self.refused.items():
            if inside(inputs, path) != inside(known, path):
                raise refusal(code, f"Changing property '{path}' is not allowed.", 409)
        # As it is there, which the state may not know.
        record = self.store.get(id)
        there = record.props if record else {}
        for path, code in self.growing.items():
            if (inside(inputs, path) or 0) < (inside(there, path) or 0):
                raise refusal(code, f"'{path}' is never made smaller.")
        return super().update(id, inputs, known)

    def delete(self, id: str, known: Props) -> None:
        """Refuse where others use it; a type that ends something on this machine does so after."""
        if self.in_use and (user := self.user(id)):
            raise refusal(self.in_use, f"{id} is in use by {user}.", 409)

    def user(self, id: str) -> str | None:
        """What is in it, or names it."""
        for record in self.store.all():
            within = record.id.lower().startswith(f"{id.lower()}/")
            if record.id.lower() != id.lower() and (
                within or f'"{id}"'.lower() in json.dumps(record.props).lower()
            ):
                return record.id
        return None

    def compute(self, id: str, inputs: Props) -> Props:
        shown = {"name": inputs[self.name_input], "type": self.kind, "id": id}
        return {**shown, **self._identities(inputs)}

    def planned(self, inputs: Props, known: Props) -> Props:
        """What Azure adds within an input is unknown, of what is there too.

        https://github.com/pulumi/pulumi-azure-native/blob/v3.29.0/provider/pkg/convert/previewOutputs.go
        """
        given = metadata.shown(self.token, inputs)
        return {**super().planned(given, known), **self._identities(inputs)}

    def _identities(self, inputs: Props) -> Props:
        """Azure takes identities as a list of ids and returns them as a map of their properties."""
        given = child(inputs, "identity").get("userAssignedIdentities")
        if not isinstance(given, list):
            return {}
        shown: Props = {}
        for id in cast("list[str]", given):
            record = self.store.get(str(id))
            found = record.props if record else {}
            shown[str(id)] = {k: found.get(k) for k in ("clientId", "principalId")}
        return {"identity": {**child(inputs, "identity"), "userAssignedIdentities": shown}}

    def readable_inputs(self, props: Props, inputs: Props, known: Props) -> Props:
        read = super().readable_inputs(props, inputs, known)
        return {**read, **{k: v for k, v in inputs.items() if k == "identity"}}

    def referred(self, inputs: Props, id: Any, kind: type["AzureResource"]) -> Props:
        """The resource that an input refers to: of the right kind, and in the same place."""
        record = self.find(id, kind.token)
        here = place(inputs.get("location", ""))
        if record is None or (here and place(record.props.get("location", here)) != here):
            raise refusal(
                "InvalidResourceReference",
                f"Resource {id} referenced by resource {self.identify(inputs)} was not found."
                " Please make sure that the referenced resource exists, and that both resources"
                " are in the same region.",
            )
        return record.props


class ResourceGroup(AzureResource):
    token = "azure-native:resources:ResourceGroup"
    kind = "Microsoft.Resources/resourceGroups"
    name_input = "resourceGroupName"

    def identify(self, inputs: Props) -> str:
        return group_id(inputs["resourceGroupName"])

    def verify(self, inputs: Props) -> None:
        name, location = inputs["resourceGroupName"], inputs.get("location")
        if len(name) > 90 or not re.fullmatch(r"[-\w._()]*[-\w_()]", name):
            raise refusal(
                "InvalidResourceGroup",
                f"The provided resource group name '{name}' has these invalid characters or ends"
                " with a period. The name can only be a letter, digit, '-', '.', '(', ')' or '_',"
                " at most 90 characters long.",
            )
        if not location:
            raise refusal(
                "LocationRequired", "The location property is required for this definition."
            )
        if place(location) not in LOCATIONS:
            raise refusal(
                "LocationNotAvailableForResourceGroup",
                f"The provided location '{location}' is not available for resource group. List of"
                f" available regions is '{','.join(LOCATIONS)}'.",
            )

    def delete(self, id: str, known: Props) -> None:
        """Delete the group with all resources in it."""
        for record in self.store.all():
            if record.id.lower().startswith(f"{id.lower()}/"):
                self.store.delete(record.id)


def refusal(code: str, message: str, status: int = 400) -> CloudError:
    return CloudError(code, _message(status, code, message), status)


def _message(status: int, code: str, message: str) -> str:
    return f'Status={status} Code="{code}" Message="{message}"'
