"""What `make down` says before it does it, and when it asks."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from infra.operations import down
from infra.operations.down import Teardown
from infra.operations.stack import MistakeError, Resource, Stack
from infra.settings import parse
from runtime.errors import UserError

_KEEPS, _LOSES = (parse({"cloud": "local", "keepData": word}) for word in ("true", "false"))


def _resource(kind: str, name: str, *needs: str, kept: bool, protected: bool = False) -> Resource:
    return Resource(name, kind, {}, protected, kept, f"urn::{name}", frozenset(needs))


_STATE = [
    _resource("docker:index/container:Container", "server", kept=False),
    _resource("docker:index/volume:Volume", "artifacts", kept=True),
    _resource("docker:index/volume:Volume", "database", kept=False),
    _resource("docker:index/volume:Volume", "server-secrets", kept=False),
    # The certificates in it are issued again.
    _resource("docker:index/volume:Volume", "front-data", kept=False),
]


def test_data_are_told_apart_by_whether_they_outlive_the_stack() -> None:
    told = down.decide("prod", {}, _STATE, _LOSES)
    assert told.removed == 4
    assert [name.split()[0] for name in told.lost] == ["database"]
    assert [name.split()[0] for name in told.kept] == ["artifacts"]
    said = down.summary(told)
    assert "LOST for good  database" in said
    assert "kept           artifacts" in said


def test_what_is_kept_stays_in_the_state_with_all_that_it_stands_on() -> None:
    server = "azure-native:dbforpostgresql:Server"
    state = [
        _resource("x:y:Network", "network", "urn::provider", kept=False),
        _resource("x:y:Subnet", "subnet", "urn::network", kept=False),
        _resource("x:y:Secret", "password", kept=False),
        _resource(server, "db", "urn::subnet", "urn::password", kept=True),
        _resource("x:y:Server", "server", "urn::db", "urn::subnet", kept=False),
    ]
    told = down.decide("prod", {}, state, _KEEPS)
    names = {urn.removeprefix("urn::") for urn in told.staying}
    assert names == {"provider", "network", "subnet", "password", "db"}
    assert told.removed == 1
    assert "`make up` goes on" in down.summary(told)


def test_what_a_cloud_only_schedules_to_go_is_said() -> None:
    state = [_resource("oci:Kms/vault:Vault", "vault", kept=False)]
    [left] = down.decide("prod", {}, state, _LOSES).lingering
    assert "after 30 days" in left
    assert f"  later          {left}" in down.summary(down.decide("prod", {}, state, _LOSES))
    assert down.decide("prod", {}, _STATE, _LOSES).lingering == ()


@pytest.mark.parametrize(
    ("kind", "key", "until", "cure"),
    [
        (
            "operationalinsights:Workspace",
            "workspaceName",
            "14 days",
            "az monitor log-analytics workspace delete --force",
        ),
        ("keyvault:Vault", "vaultName", "7 days", "az keyvault purge"),
    ],
)
def test_what_azure_keeps_is_said_by_its_name_and_how_to_end_it(
    kind: str, key: str, until: str, cure: str
) -> None:
    """https://learn.microsoft.com/azure/azure-monitor/logs/delete-workspace and
    https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview
    """
    inputs = {"resourceGroupName": "the-group", key: "the-name"}
    gone = replace(_resource(f"azure-native:{kind}", "it", kept=False), inputs=inputs)
    [left] = down.decide("prod", {}, [gone], _LOSES).lingering
    assert left.startswith("the-name is kept by Azure for ")
    assert until in left
    assert cure in left


@pytest.mark.parametrize(
    ("outputs", "protected", "wanted"),
    [({}, False, False), ({"protected": True}, False, True), ({"protected": False}, True, True)],
)
def test_a_stack_is_protected_by_its_output_or_by_one_resource(
    outputs: dict[str, bool], protected: bool, wanted: bool
) -> None:
    state = [_resource("x:y:Bucket", "b", kept=False, protected=protected)]
    assert down.decide("prod", outputs, state, _LOSES).protected is wanted


def test_a_protected_stack_is_not_removed_where_nobody_can_be_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    protected = Teardown("prod", True, 1, (), ())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(UserError, match="YES=1"):
        down.confirm(protected, yes=False)
    down.confirm(protected, yes=True)
    down.confirm(Teardown("dev", False, 1, (), ()), yes=False)


def test_what_is_lost_is_asked_for_though_nothing_is_protected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loses = Teardown("dev", False, 1, ("data (/d)",), (), allowances=("delete:data",))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    ways = r"lost for good.*make down STACK=dev YES=1 or DATA=delete:data$"
    with pytest.raises(UserError, match=ways):
        down.confirm(loses, yes=False)
    down.confirm(loses, yes=True)
    down.confirm(loses, yes=False, allowed={"delete:data"})
    down.confirm(Teardown("dev", False, 1, (), ("data (/d)",)), yes=False)


@pytest.mark.parametrize(("keep_data", "says"), [(True, "LOST"), (False, "kept")])
def test_where_the_stack_file_and_what_is_up_differ_on_what_is_kept_nothing_is_removed(
    keep_data: bool, says: str
) -> None:
    settings = parse({"cloud": "local", "keepData": str(keep_data).lower()})
    inputs = {"data_dir": "/d", "keep_data": not keep_data}
    kind = "pulumi-python:dynamic/trackstack:LocalDataDirectory"
    state = [Resource("data", kind, inputs, protected=False, retained=False, urn="urn::data")]
    told = down.decide("dev", {}, state, settings)
    with pytest.raises(UserError, match=f"{says}.*make up STACK=dev.*nothing was removed"):
        down.confirm(told, yes=True)
    agreed = parse({"cloud": "local", "keepData": str(not keep_data).lower()})
    assert down.decide("dev", {}, state, agreed).differing == ""
    assert down.decide("dev", {}, [], settings).differing == ""


def test_what_is_lost_may_be_named_all_of_it_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    state = [_bucket(protected=True), _resource(_PSQL, "database", kept=False)]
    told = down.decide("prod", {}, state, _LOSES)
    both = {"delete:artifacts", "delete:database"}
    assert set(told.allowances) == both
    down.confirm(told, yes=False, allowed=both)
    with pytest.raises(UserError, match="YES=1 or DATA=delete:artifacts,delete:database"):
        down.confirm(told, yes=False, allowed={"delete:database"})
    for other in ("delete:data", "replace:database"):
        with pytest.raises(MistakeError, match=f"{other}: it could name delete:artifacts, del"):
            down.confirm(told, yes=True, allowed={*both, other})
    # The protection of a stack is no data's, and not lifted by a name.
    with pytest.raises(UserError, match=r"YES=1$"):
        down.confirm(replace(told, protected=True), yes=False, allowed=both)


def test_without_a_stack_file_nobody_knows_what_is_kept() -> None:
    told = down.decide("prod", {}, [_bucket(protected=True)], None)
    with pytest.raises(UserError, match=r"no stacks/Pulumi.prod.yaml.*pulumi config refresh"):
        down.confirm(told, yes=True, allowed={"delete:artifacts"})
    down.confirm(down.decide("prod", {}, [], None), yes=True)


def test_the_state_is_exported_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[tuple[str, ...]] = []

    def ask(_self: Stack, *arguments: str) -> Any:
        asked.append(arguments)
        outputs = {"protected": True}
        stack = {"urn": "urn::stack", "type": "pulumi:pulumi:Stack", "outputs": outputs}
        kind = "docker:index/container:Container"
        server = {"urn": "urn:pulumi:prod::trackstack::x::server", "type": kind}
        return {"deployment": {"resources": [stack, server]}}

    monkeypatch.setattr(Stack, "ask", ask)
    done = CliRunner().invoke(down.command, ["prod", "--dry-run", "--json"])
    assert json.loads(done.stdout)["protected"] is True
    assert asked == [("stack", "export")]


def test_a_stack_file_protects_from_the_moment_in_which_it_says_so() -> None:
    settings = parse({"cloud": "local", "compute": "container", "protect": "true"})
    assert down.decide("dev", {}, _STATE, settings).protected
    assert not down.decide("dev", {}, [], settings).protected


@pytest.mark.parametrize(("typed", "goes_on"), [("prod", True), ("yes", False), ("", False)])
def test_on_a_terminal_the_stack_s_own_name_must_be_typed(
    typed: str, goes_on: bool, tmp_path: Path
) -> None:
    code = (
        "from infra.operations import down; "
        "down.confirm(down.Teardown('prod', True, 1, (), ()), yes=False)"
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


class _Engine:
    """The engine's commands on a stack, of which `destroy` ends with ``code``."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, left: Sequence[Resource], code: int
    ) -> None:
        self.calls: list[tuple[str, ...]] = []

        def run(_self: Stack, *arguments: str, **_options: Any) -> int:
            self.calls.append(arguments)
            return code if arguments[0] == "destroy" else 0

        def resources(_self: Stack) -> list[Resource]:
            return list(left)

        monkeypatch.setattr(Stack, "run", run)
        monkeypatch.setattr(Stack, "resources", resources)


_PSQL = "oci:Psql/dbSystem:DbSystem"


def _bucket(*, protected: bool) -> Resource:
    kind = "oci:ObjectStorage/bucket:Bucket"
    return _resource(kind, "artifacts", kept=False, protected=protected)


def test_the_protection_is_taken_off_only_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = _Engine(monkeypatch, [], 0)
    for protected in (False, True):
        told = down.decide("prod", {}, [_bucket(protected=protected)], _LOSES)
        assert down.apply(Stack("prod"), told, quiet=False) == 0
    destroy = ("destroy", "--yes", "--skip-preview")
    assert engine.calls == [
        destroy,
        ("state", "unprotect", "urn::artifacts", "--yes"),
        destroy,
    ]


def test_what_is_left_by_a_destroy_that_failed_is_protected_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = _resource(_PSQL, "database", kept=False, protected=True)
    engine = _Engine(monkeypatch, [_bucket(protected=False)], 1)
    told = down.decide("prod", {}, [_bucket(protected=True), gone], _LOSES)
    assert down.apply(Stack("prod"), told, quiet=False) == 1
    assert engine.calls[-1] == ("state", "protect", "urn::artifacts", "--yes")


def test_what_stays_keeps_its_protection(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = _resource(_PSQL, "database", kept=True, protected=True)
    engine = _Engine(monkeypatch, [kept], 0)
    down.apply(Stack("prod"), down.decide("prod", {}, [kept], _KEEPS), quiet=False)
    destroy = ("destroy", "--yes", "--skip-preview", "--exclude", "urn::database")
    assert engine.calls == [destroy]
