"""What `make down` says before it does it, and when it asks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.operations.down import Teardown
from infra.operations.stack import Resource, Stack
from runtime.errors import UserError


def _resource(kind: str, name: str, *needs: str, kept: bool, protected: bool = False) -> Resource:
    return Resource(name, kind, {}, protected, kept, f"urn::{name}", frozenset(needs))


_STATE = [
    _resource("docker:index/container:Container", "server", kept=False),
    _resource("docker:index/volume:Volume", "artifacts", kept=True),
    _resource("docker:index/volume:Volume", "database", kept=False),
    _resource("docker:index/volume:Volume", "server-secrets", kept=False),
]


def test_data_are_told_apart_by_whether_they_outlive_the_stack() -> None:
    told = teardown.decide("prod", {}, _STATE)
    assert told.removed == 3
    assert [name.split()[0] for name in told.lost] == ["database"]
    assert [name.split()[0] for name in told.kept] == ["artifacts"]
    said = teardown.summary(told)
    assert "LOST for good  database" in said
    assert "kept           artifacts" in said


def test_what_is_kept_stays_in_the_state_with_all_that_it_stands_on() -> None:
    state = [
        _resource("x:y:Network", "network", "urn::provider", kept=False),
        _resource("x:y:Subnet", "subnet", "urn::network", kept=False),
        _resource("x:y:Secret", "password", kept=False),
        _resource("x:dbforpostgresql:Server", "db", "urn::subnet", "urn::password", kept=True),
        _resource("x:y:Server", "server", "urn::db", "urn::subnet", kept=False),
    ]
    told = teardown.decide("prod", {}, state)
    names = {urn.removeprefix("urn::") for urn in told.staying}
    assert names == {"provider", "network", "subnet", "password", "db"}
    assert told.removed == 1
    assert "`make up` goes on" in teardown.summary(told)


@pytest.mark.parametrize(
    ("outputs", "protected", "wanted"),
    [({}, False, False), ({"protected": True}, False, True), ({"protected": False}, True, True)],
)
def test_a_stack_is_protected_by_its_output_or_by_one_resource(
    outputs: dict[str, bool], protected: bool, wanted: bool
) -> None:
    state = [_resource("x:y:Bucket", "b", kept=False, protected=protected)]
    assert teardown.decide("prod", outputs, state).protected is wanted


def test_a_protected_stack_is_not_removed_where_nobody_can_be_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    protected = Teardown("prod", True, 1, (), ())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(UserError, match="YES=1"):
        teardown.confirm(protected, yes=False)
    teardown.confirm(protected, yes=True)
    teardown.confirm(Teardown("dev", False, 1, (), ()), yes=False)


@pytest.mark.parametrize(("typed", "goes_on"), [("prod", True), ("yes", False), ("", False)])
def test_on_a_terminal_the_stack_s_own_name_must_be_typed(
    typed: str, goes_on: bool, tmp_path: Path
) -> None:
    code = (
        "from infra.operations import down; "
        "teardown.confirm(teardown.Teardown('prod', True, 1, (), ()), yes=False)"
    )
    master, slave = os.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=slave, stdout=slave, stderr=subprocess.PIPE
        ) as process:
            os.write(master, f"{typed}\n".encode())
            _, errors = process.communicate(timeout=60)
    finally:
        os.close(master)
        os.close(slave)
    assert (process.returncode == 0) is goes_on
    assert goes_on or b"nothing was removed" in errors


def test_the_protection_is_taken_off_only_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []

    def run(_self: Stack, *arguments: str, quiet: bool = False) -> int:
        calls.append(arguments[0])
        return 0

    monkeypatch.setattr(Stack, "run", run)
    for protected in (False, True):
        teardown.apply(Stack("prod"), Teardown("prod", protected, 1, (), ()), quiet=False)
    assert calls == ["destroy", "state", "destroy"]
