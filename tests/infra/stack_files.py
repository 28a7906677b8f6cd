"""The stack files of tests/configs, named by cloud and verdict: `local.error.port-text.yaml`."""

import json
from pathlib import Path
from typing import Any, cast

import yaml

CONFIGS = Path(__file__).parents[1] / "configs"

# The keys that a stack on a cloud cannot be without.
AZURE: dict[str, Any] = {
    "cloud": "azure",
    "subscriptionId": "6731de76-14a6-49ae-97bc-6eba6914391e",
    "region": "westeurope",
    "allowedCidrs": ["0.0.0.0/0"],
}
OCI: dict[str, Any] = {
    "cloud": "oci",
    "tenancyId": "ocid1.tenancy.oc1..aaaa",
    "compartmentId": "ocid1.compartment.oc1..aaaa",
    "region": "eu-frankfurt-1",
    "allowedCidrs": ["0.0.0.0/0"],
}


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
