"""What preflight asks for, held against what each kind of stack makes."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from infra.operations.account.azure import needs
from infra.plan import make_plan
from infra.plan.azure import AzurePlan
from infra.plan.place import Place
from infra.rehearsal.azure.cloud import AzureCloud
from infra.rehearsal.azure.resource import AzureResource
from infra.settings import parse
from tests.infra.clouds.azure.stacks import CONTAINER, PRIVATE, SCALE, VM, stack
from tests.infra.project import ROOT
from tests.infra.stack_files import AZURE, as_given

# Every subscription has these.
_ALWAYS = {"Microsoft.Authorization", "Microsoft.Resources"}
_MAIL: dict[str, Any] = {"alertEmail": "ops@example.com"}
_MYSQL: dict[str, Any] = {"database": "mysql"}
_ACR: dict[str, Any] = {"imageBuild": "acr"}
_STANDBY: dict[str, Any] = {"highAvailability": True, "databaseSku": "Standard_D2ds_v5"}


def _kinds(of: type[AzureResource] = AzureResource) -> Iterator[tuple[str, str]]:
    """What each type of the engine's is to Azure."""
    assert AzureCloud
    for each in of.__subclasses__():
        if hasattr(each, "token"):
            yield each.token, each.kind
        yield from _kinds(each)


@pytest.mark.parametrize("compute", [CONTAINER, SCALE, VM], ids=lambda keys: keys["compute"])
@pytest.mark.parametrize("more", [{}, PRIVATE, _MAIL, _MYSQL | _ACR, PRIVATE | _STANDBY])
def test_of_all_that_a_stack_makes_the_providers_are_asked_for(
    compute: dict[str, Any], more: dict[str, Any]
) -> None:
    keys = {**AZURE, **compute, **more}
    plan = make_plan(parse(as_given(keys)), Place("azure-test", ROOT, frozenset()))
    assert isinstance(plan, AzurePlan)
    known = dict(_kinds())
    made = {
        known[one.type]
        for one in stack(compute, more).registered
        if "azure-native" in one.type and not one.is_component and "providers" not in one.type
    }
    wanted = {kind.partition("/")[0] for kind in made} - _ALWAYS
    assert wanted == {kind.partition("/")[0] for kind in needs.types(plan)}


def test_the_page_registers_all_providers_that_some_stack_needs() -> None:
    page = (ROOT / "docs" / "how-to" / "azure.md").read_text()
    [listed] = re.findall(r"for provider in ([^;]*);", page)
    wanted = set[str]()
    for keys in (CONTAINER, SCALE, VM | _MAIL, CONTAINER | _MYSQL):
        plan = make_plan(parse(as_given(AZURE | keys)), Place("azure-test", ROOT, frozenset()))
        assert isinstance(plan, AzurePlan)
        wanted |= set(needs.namespaces(plan))
    named = {f"Microsoft.{word}" for word in listed.replace("\\", "").split()}
    assert named - _ALWAYS == wanted
