"""Drift, decided from what the engine reports."""

import json
import subprocess
from typing import Any

import pytest
from click.testing import CliRunner

from infra.operations.drift import command, decide
from infra.operations.stack import Resource, Stack
from infra.operations.stack.reasons import reason
from runtime.errors import UserError


def _step(op: str, kind: str, name: str, old: dict[str, Any], new: dict[str, Any] | None) -> Any:
    urn = f"urn:pulumi:prod::trackstack::{kind}::{name}"
    state = {"type": kind, "inputs": {"size": 1}}
    return {
        "op": op,
        "urn": urn,
        "oldState": {**state, "outputs": old},
        "newState": None if new is None else {**state, "outputs": new},
    }


def test_what_is_as_the_state_says_is_no_drift() -> None:
    stack = _step("refresh", "pulumi:pulumi:Stack", "trackstack-prod", {"a": 1}, {"a": 2})
    same = _step("refresh", "docker:index/container:Container", "server", {"a": 1}, {"a": 1})
    assert decide("prod", [stack, same]) == []


def test_what_is_gone_is_made_again_but_data_come_from_a_backup() -> None:
    steps = [
        _step("delete", "docker:index/container:Container", "server", {}, None),
        _step("delete", "docker:index/volume:Volume", "database", {}, None),
    ]
    server, database = decide("prod", steps)
    assert (server.resource, server.keys) == ("server", ())
    assert server.remedy.startswith("make up STACK=prod")
    assert "make recover STACK=prod" in database.remedy


def test_a_changed_key_of_the_stack_file_is_set_back_and_one_of_the_provider_is_taken_over() -> (
    None
):
    steps = [
        _step("refresh", "azure:Server", "ours", {"size": 1, "x": 1}, {"size": 2, "x": 1}),
        _step("refresh", "azure:Server", "theirs", {"size": 1, "x": 1}, {"size": 1, "x": 2}),
    ]
    ours, theirs = decide("prod", steps)
    assert (ours.keys, theirs.keys) == (("size",), ("x",))
    assert "make up" in ours.remedy
    assert "make refresh" in theirs.remedy


def test_what_others_add_to_a_resource_is_no_drift() -> None:
    kind = "oci:NetworkLoadBalancer/backendSet:BackendSet"
    added = {"backends": [{"name": "10.0.0.2:443"}]}
    assert decide("prod", [_step("update", kind, "backends", {"backends": []}, added)]) == []
    moved = _step("update", kind, "backends", {"backends": [], "policy": 1}, {**added, "policy": 2})
    assert [drift.keys for drift in decide("prod", [moved])] == [("policy",)]


def test_what_runs_is_taken_into_the_state_only_where_docker_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = "docker:index/container:Container"
    state = [Resource("server", kind, {}, protected=False, retained=False)]
    ran: list[tuple[str, ...]] = []

    def resources(_: Stack) -> list[Resource]:
        return state

    def run(_: Stack, *arguments: str, **__: bool) -> int:
        ran.append(arguments)
        return 0

    monkeypatch.setattr(Stack, "resources", resources)
    monkeypatch.setattr(Stack, "run", run)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    refused = CliRunner().invoke(command, ["prod", "--take"])
    assert isinstance(refused.exception, UserError)
    assert "Docker does not answer at tcp://127.0.0.1:9" in str(refused.exception)
    assert ran == []
    state.clear()
    assert CliRunner().invoke(command, ["prod", "--take"], standalone_mode=False).return_value == 0
    assert ran == [("refresh", "--yes")]


def test_how_our_own_providers_are_kept_in_the_state_is_no_drift() -> None:
    step = _step("refresh", "a:B", "c", {"__provider": "old"}, {"__provider": "new"})
    assert decide("prod", [step]) == []


def test_of_differences_the_engine_s_own_count() -> None:
    """A provider that reads a list of none where there was nothing has found no difference."""
    old: dict[str, Any] = {"memory": 64, "dns": None, "init": False, "__pulumi_raw_state_delta": {}}
    new: dict[str, Any] = {
        "memory": 128,
        "dns": [],
        "init": None,
        "__pulumi_raw_state_delta": {"a": 1},
    }
    step = _step("refresh", "a:B", "c", old, new)
    [plain] = decide("prod", [step])
    [detailed] = decide("prod", [{**step, "detailedDiff": {"memory": {}, "__meta": {}}}])
    assert plain.keys == detailed.keys == ("memory",)


def test_why_the_engine_failed_is_found_in_what_it_prints_as_json() -> None:
    said = {"message": "failed to connect to any docker daemon\n", "severity": "error"}
    note = {"message": "looking", "severity": "info"}
    last = {"message": "preview failed", "severity": "error"}
    printed = json.dumps({"steps": [], "diagnostics": [note, said, last]}, indent=2)
    done = subprocess.CompletedProcess([], 1, printed, "")
    assert reason(done) == "failed to connect to any docker daemon"
    plain = subprocess.CompletedProcess([], 1, "", "Previewing\nerror: no stack named 'x' found\n")
    assert reason(plain) == "no stack named 'x' found; make up STACK=x makes it"
