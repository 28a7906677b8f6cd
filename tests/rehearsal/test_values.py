"""What goes over the wire comes back: values, secrets, unknowns; and what faults are written as."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.rehearsal.oci.access.policies import parse
from infra.rehearsal.provider.conditions import Conditions, Fault
from infra.rehearsal.provider.values import UNKNOWN, Path, Props, Sealed, decode, encode, redact

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), _VALUES, max_size=4), st.data())
def test_properties_survive_the_wire_with_their_secrets(values: Props, data: st.DataObject) -> None:
    paths = sorted(_paths(values, ()), key=repr)
    secrets = frozenset(data.draw(st.sets(st.sampled_from(paths)))) if paths else frozenset[Path]()
    assert decode(encode(values, secrets)) == Sealed(values, secrets)


def test_a_secret_whose_place_is_gone_hides_the_whole_property() -> None:
    sent = encode({"pins": ["1"], "plain": 2}, {("pins", 3)})
    assert decode(sent).secrets == {("pins",)}


def test_the_journal_names_secrets_and_unknowns_without_showing_them() -> None:
    sealed = Sealed({"a": {"b": "rose-bud"}, "c": [UNKNOWN, 1]}, frozenset({("a", "b")}))
    assert redact(sealed) == {"a": {"b": "[secret]"}, "c": ["[unknown]", 1]}


def test_a_fault_strikes_once_at_its_call_and_type() -> None:
    conditions = Conditions()
    conditions.add(Fault.parse("Create:2:error:Subnet"))
    calls = ["Subnet", "Vcn", "Subnet", "Subnet"]
    struck = [conditions.strike("Create", f"oci:Core:{token}") is not None for token in calls]
    assert struck == [False, False, True, False]


@pytest.mark.parametrize("text", ["Create", "Create:1", "Make:1:error", "Create:1:boom"])
def test_a_fault_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="METHOD:NTH:KIND"):
        Fault.parse(text)


@pytest.mark.parametrize(
    ("text", "compartment"),
    [
        ("Allow group Admins to manage all-resources in tenancy", ""),
        ("allow dynamic-group a, b to read objects in compartment data", "data"),
        ("ALLOW any-user TO use keys IN compartment id ocid1.x where all {a = 'b'}", "ocid1.x"),
    ],
)
def test_a_policy_statement_is_read_as_oracle_writes_it(text: str, compartment: str) -> None:
    statement = parse(text)
    assert statement is not None
    assert statement.compartment == compartment


def _paths(value: Any, path: Path) -> list[Path]:
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(cast("Props", value).items())
    elif isinstance(value, list):
        inner = list(enumerate(cast("list[Any]", value)))
    found = [place for step, item in inner for place in _paths(item, (*path, step))]
    return found + ([path] if path else [])
