"""Pipelines as their files have them."""

from typing import Any, cast

from infra.place import ROOT

# Of this project itself.
OWN = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def scripts(node: Any) -> list[str]:
    """Every shell script in a pipeline, whatever its maker calls it."""
    if isinstance(node, dict):
        found = cast("dict[str, Any]", node)
        own = [
            str(text)
            for key, text in found.items()
            if key in ("run", "script", "inlineScript", "command") and isinstance(text, str)
        ]
        return own + [script for value in found.values() for script in scripts(value)]
    if isinstance(node, list):
        items = cast("list[Any]", node)
        return [script for item in items for script in scripts(item)]
    return []
