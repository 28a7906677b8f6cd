"""What the programs of stacks send to their providers, dumped without engine or account."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from infra.operations.stack import file as stack_file
from infra.rehearsal.dump.__main__ import command
from infra.rehearsal.dump.recording import MASK, masked

_SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


def _dumped(folder: Path, *arguments: str) -> dict[str, Any]:
    out = folder / "dump.json"
    done = CliRunner().invoke(command, [*arguments, "--out", str(out)])
    assert done.exit_code == 0, done.output + repr(done.exception)
    return json.loads(out.read_text())


def _named(case: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [r["inputs"] for r in case["resources"] if r["type"].endswith(f":{kind}")]


def test_what_is_secret_is_masked_and_its_form_stays() -> None:
    given = {"a": {**_SECRET, "value": {"b": ["x", 1, None, True]}}, "c": "plain"}
    assert masked(given) == {"a": {"b": [MASK, MASK, None, True]}, "c": "plain"}


def test_a_stack_on_azure_is_dumped_alike_each_time(tmp_path: Path) -> None:
    first, second = (_dumped(tmp_path, "azure-dev") for _ in range(2))
    assert first == second
    case = first["azure-dev"]
    assert case["keys"]["region"] == "westeurope"
    [server] = _named(case, "Server")
    assert server["administratorLoginPassword"] == MASK
    [group] = [r for r in case["resources"] if r["type"].endswith(":ContainerGroup")]
    # As Azure names it: what stands on another resource names it by its id there.
    [identity] = group["inputs"]["identity"]["userAssignedIdentities"]
    assert identity.startswith("/subscriptions/")
    assert any("UserAssignedIdentity" in urn for urn in group["options"]["dependencies"])
    assert {type(r["options"]["retainOnDelete"]) for r in case["resources"]} == {bool}


def test_other_keys_are_taken_and_a_secret_key_s_value_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stacks").mkdir()
    config = "trackstack:cloud: local\n  trackstack:oidcIssuer: https://i\n"
    (tmp_path / "stacks" / "Pulumi.mine.yaml").write_text(
        f"config:\n  {config}  trackstack:oidcClientId: c\n  trackstack:allowedGroups: [g]\n"
        "  trackstack:oidcClientSecret: {secure: v1:cipher}\n"
    )
    (tmp_path / "Pulumi.yaml").write_text("name: trackstack\n")
    case = _dumped(tmp_path, "mine", "-c", "port=7777")["mine"]
    assert case["keys"]["port"] == "7777"
    assert "oidcClientSecret" not in case["keys"]
    assert "cipher" not in json.dumps(case)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nope"], "there is no stacks/Pulumi.nope.yaml"), (["local", "-c", "port=x"], "port")],
)
def test_a_mistake_is_a_line(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code != 0
    assert said in str(done.exception)


@pytest.mark.slow
def test_every_example_is_dumped_without_a_stack_s_name(tmp_path: Path) -> None:
    dumped = _dumped(tmp_path)
    assert list(dumped) == stack_file.examples()
    assert all(len(case["resources"]) > 5 for case in dumped.values())
