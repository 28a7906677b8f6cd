"""Values within the inputs of a resource. Pure."""

from collections.abc import Mapping
from typing import Any, cast


def inside(value: Any, path: str) -> Any:
    """What is at a dotted path, None where nothing is: of a list, what is there in each item."""
    if isinstance(value, list):
        return [inside(each, path) for each in cast("list[Any]", value)]
    name, _, rest = path.partition(".")
    found = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
    return inside(found, rest) if rest and found is not None else found
