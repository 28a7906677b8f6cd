"""A fact about Azure, with its source, and what holds the stand-ins to it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from infra.rehearsal.azure.resource import AzureResource
from infra.rehearsal.provider.errors import CloudError
from infra.rehearsal.provider.resource import Call
from tests.rehearsal.cases import World

PROVIDER = "https://github.com/pulumi/pulumi-azure-native/blob/v3.29.0/provider/pkg"
LEARN = "https://learn.microsoft.com/azure"


@dataclass(frozen=True)
class Fact:
    says: str
    source: str
    holds: Callable[[World], None]


def kind_of(made: World, name: str) -> AzureResource:
    [found] = [kind for kind in made.cloud.resources if kind.token.endswith(f":{name}")]
    resource = found(Call(made.cloud, {}, "it", "urn"))
    assert isinstance(resource, AzureResource)
    return resource


def refused(call: Callable[[], object], code: str) -> None:
    with pytest.raises(CloudError, match=code):
        call()
