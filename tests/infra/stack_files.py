"""The stack files of tests/configs, named by cloud and verdict: `local.error.port-text.yaml`."""

import json
from pathlib import Path
from typing import Any, cast

import yaml

CONFIGS = Path(__file__).parents[1] / "configs"


def named(pattern: str) -> list[Path]:
    """The stack files of this name; there must be some."""
    found = sorted(CONFIGS.glob(pattern))
    assert found, pattern
    return found


def read(path: Path) -> dict[str, Any]:
    """The whole file: ``config``, and ``error`` where it must be refused."""
    return cast("dict[str, Any]", yaml.safe_load(path.read_text()))


def as_given(config: dict[str, Any]) -> dict[str, str]:
    """Keys and values as the engine hands them to the program: text, or JSON as text."""
    return {
        key.removeprefix("trackstack:"): value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
    }
