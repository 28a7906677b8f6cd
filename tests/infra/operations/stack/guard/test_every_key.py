"""Every key of every kind of stack changed once: what it takes is what the page of users says."""

from pathlib import Path

import pytest

from infra.settings import model_of
from tests.infra.operations.stack.guard.every_key import PAGE, row, table
from tests.infra.operations.stack.guard.key_values import STACKS, others


@pytest.mark.parametrize("stack", STACKS)
def test_another_value_of_each_key_is_known(stack: str) -> None:
    """Or the line of `key_values` that says that there is none."""
    for name, field in model_of(STACKS[stack]).model_fields.items():
        others(stack, field.alias or name, field.default)


# In the others of a cloud most keys are the same: they are the night's.
_EACH_TIME = {"local", "local-container", "azure-scale", "oci-vm"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "stack",
    [
        pytest.param(stack, marks=() if stack in _EACH_TIME else pytest.mark.nightly)
        for stack in STACKS
    ],
)
def test_what_a_changed_key_takes_is_what_the_page_says(stack: str, tmp_path: Path) -> None:
    """The page was read by people: a line that comes or goes is a decision."""
    written = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {stack} |")]
    assert [row(stack, key, told) for key, told in table(stack, tmp_path).items()] == written
