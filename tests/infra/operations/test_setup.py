"""What `make setup` installs for a stack, by its file; and how files are read before the engine."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.errors import StackError
from infra.operations import setup
from infra.operations.setup import Needs
from infra.operations.stack import MistakeError, Stack
from infra.operations.stack import file as stack_file
from infra.operations.up import not_done, options
from infra.place import ROOT
from infra.settings import parse
from runtime.errors import UserError

_DOCKER, _AZURE, _OCI = "docker", "azure-native", "oci"


@pytest.mark.parametrize(
    ("keys", "needs"),
    [
        ({"cloud": "local"}, Needs()),
        ({"cloud": "local", "compute": "container"}, Needs((_DOCKER,))),
        ({"cloud": "azure", "compute": "vm"}, Needs((_AZURE, _DOCKER))),
        ({"cloud": "oci", "unknown": "key"}, Needs((_OCI, _DOCKER))),
        (
            {
                "cloud": "local",
                "artifactsDestination": "s3://bucket/prod",
                "backupDestination": "wasbs://b@a.blob.core.windows.net",
            },
            Needs((), ("azure", "s3")),
        ),
        ({"cloud": "local", "backupDestination": "oci/backups"}, Needs()),
    ],
)
def test_a_stack_needs_what_its_cloud_and_its_destinations_need(
    keys: dict[str, str], needs: Needs
) -> None:
    assert setup.decide(keys) == needs


def test_only_what_is_missing_is_installed() -> None:
    needs = Needs((_DOCKER, _OCI), ("s3",))
    assert setup.missing(needs, lambda _package: True) == Needs()
    there = {"pulumi_docker"}.__contains__
    assert setup.missing(needs, there) == Needs((_OCI,), ("s3",))


@pytest.mark.parametrize("keys", [{"cloud": "azur"}, {"cloud": "oci", "compute": "process"}, {}])
def test_a_cloud_that_the_code_does_not_know_is_an_error(keys: dict[str, str]) -> None:
    with pytest.raises(StackError, match="allowed: "):
        setup.decide(keys)


def _write(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "stacks").mkdir(exist_ok=True)
    (folder / "stacks" / "Pulumi.a.yaml").write_text(text)
    (folder / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    monkeypatch.chdir(folder)


def test_a_file_is_read_as_yaml_whatever_its_style(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """config: {"trackstack:cloud": azure, 'trackstack:cpus': 2,
      "trackstack:keepData": no, trackstack:allowedCidrs: ["10.0.0.0/8"], other:key: x,
      trackstack:backendStoreUri: {secure: v1:abc}}"""
    _write(tmp_path, text, monkeypatch)
    assert stack_file.keys("a") == {
        "cloud": "azure",
        "cpus": "2",
        "keepData": "false",
        "allowedCidrs": '["10.0.0.0/8"]',
    }
    _write(tmp_path, "encryptionsalt: v1:x\n", monkeypatch)
    assert stack_file.keys("a") == {"cloud": "local"}
    _write(tmp_path, "config: [\n", monkeypatch)
    with pytest.raises(StackError, match=r"Pulumi\.a\.yaml: is no YAML"):
        stack_file.keys("a")


def test_a_key_without_a_project_is_this_one_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "config:\n  cloud: azure\n  cpus: 2\n  pruneWebhook: {secure: v1:abc}\n"
    _write(tmp_path, text, monkeypatch)
    assert stack_file.keys("a") == {"cloud": "azure", "cpus": "2"}
    assert stack_file.secret_keys(stack_file.path("a")) == {"pruneWebhook"}
    _write(tmp_path, "config:\n  port: 1\n  trackstack:port: 2\n", monkeypatch)
    with pytest.raises(MistakeError, match=r"port stands in line 2, and again in line 3"):
        stack_file.require("a")


@pytest.mark.parametrize("project", ["trackstak", "Trackstack", "track-stack"])
def test_a_project_that_is_misspelt_is_named(
    project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path, f"config: {{{project}:gcTtl: never, azure-native:x: y}}\n", monkeypatch)
    with pytest.raises(MistakeError, match=f"{project}:gcTtl: did you mean trackstack:gcTtl"):
        stack_file.require("a")


def test_a_key_behind_the_engine_s_own_lines_is_told_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "config:\n  trackstack:cloud: local\nencryptionsalt: v1:x\n  trackstack:port: 1\n"
    _write(tmp_path, text, monkeypatch)
    with pytest.raises(MistakeError) as error:
        stack_file.require("a")
    assert str(error.value).endswith("in line 4; keys stand right below config:")


def test_a_key_that_stands_there_twice_is_named_with_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "config:\n  trackstack:cloud: local\n  trackstack:port: 1\n  trackstack:port: 2\n"
    _write(tmp_path, text, monkeypatch)
    with pytest.raises(
        MistakeError, match=r"trackstack:port stands in line 3, and again in li.* 4"
    ):
        stack_file.require("a")
    # Of a stack that is there, the engine says it in a second line.
    said = "error: yaml: unmarshal errors:\n  line 4: mapping key already defined\n"
    engine = tmp_path / "pulumi"
    engine.write_text(f"#!/bin/sh\nprintf '{said}' >&2\nexit 6\n")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(UserError, match="line 4: mapping key already defined"):
        Stack("a").settings()


def test_setup_refuses_an_unknown_cloud_and_lets_a_missing_file_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path, "config: {trackstack:cloud: aws}\n", monkeypatch)

    def run(stack: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "infra.operations.setup", stack]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    refused = run("a")
    assert refused.returncode == 2
    assert refused.stderr.startswith("setup: trackstack:cloud: 'aws' is no cloud; allowed: local")
    assert run("not-there").returncode == 0


_IN_A_CLOUD = {
    "cloud": "oci",
    "tenancyId": "ocid1.tenancy.oc1..aaaa",
    "compartmentId": "ocid1.compartment.oc1..aaaa",
    "region": "eu-frankfurt-1",
    "allowedCidrs": '["10.0.0.0/8"]',
}


def test_the_engine_asks_in_a_cloud_and_on_a_terminal_alone() -> None:
    here, contained = parse({"cloud": "local"}), parse({"cloud": "local", "compute": "container"})
    cloud = parse(_IN_A_CLOUD)
    for settings, is_terminal in ((here, True), (here, False), (contained, True), (cloud, False)):
        assert "--yes" in options(settings, is_terminal)
    assert "--yes" not in options(cloud, is_terminal=True)
    assert "--refresh" in options(contained, is_terminal=True)


def test_an_update_that_ends_half_way_says_what_stays_and_how_it_goes_on() -> None:
    said = not_done("oci-dev", parse(_IN_A_CLOUD))
    assert "stays and is billed" in said
    assert "make up STACK=oci-dev goes on" in said
    assert "make down STACK=oci-dev" in said
    assert "billed" not in not_done("local", parse({"cloud": "local"}))


def test_a_first_stack_of_this_machine_is_copied_from_its_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "stacks" / "examples", tmp_path / "stacks" / "examples")
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "stacks" / "Pulumi.local.yaml"
    stack_file.require("local")
    assert own.read_bytes() == (tmp_path / "stacks/examples/Pulumi.local.yaml").read_bytes()
    assert "stacks/Pulumi.local.yaml: copied from stacks/examples" in capsys.readouterr().out
    own.write_text("config: {trackstack:cloud: local, trackstack:port: 6000}")
    stack_file.require("local")
    assert "6000" in own.read_text()
    assert capsys.readouterr().out == ""


def test_an_example_of_a_cloud_is_the_users_to_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "stacks" / "examples", tmp_path / "stacks" / "examples")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MistakeError, match=r"make new STACK=oci-dev$"):
        stack_file.require("oci-dev")
    assert not (tmp_path / "stacks" / "Pulumi.oci-dev.yaml").exists()


def test_a_stack_without_a_file_is_told_with_those_that_have_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stacks" / "examples").mkdir(parents=True)
    for name in ("examples/Pulumi.local", "Pulumi.prod", "Pulumi.local"):
        (tmp_path / "stacks" / f"{name}.yaml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MistakeError, match=r"stacks/Pulumi\.locl\.yaml; there are: local, prod$"):
        stack_file.require("locl")
