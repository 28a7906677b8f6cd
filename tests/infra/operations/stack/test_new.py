"""`make new` and a team's own folder of stack files."""

import os
import pty
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infra.errors import StackError
from infra.operations.stack import MistakeError, new
from infra.operations.stack import file as stack_file
from infra.place import ROOT
from infra.settings import PROJECT, parse

_ANSWERS = {
    "subscriptionId": "5d7f8f6e-0000-4000-8000-000000000001",
    "tenancyId": "ocid1.tenancy.oc1..aaaa",
    "compartmentId": "ocid1.compartment.oc1..aaaa",
    "region": "northeurope",
    "allowedCidrs": "198.51.100.0/24,192.0.2.7/32",
    "alertEmail": "mlflow@team.example",
}
# A container group on Azure takes everybody; regions are each cloud's own.
_OTHER = {
    "azure-dev": {"allowedCidrs": "0.0.0.0/0"},
    "oci-dev": {"region": "eu-paris-1"},
    "oci-prod": {"region": "eu-paris-1"},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the examples alone."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "stacks" / "examples", folder / "stacks" / "examples", symlinks=True)
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    monkeypatch.chdir(folder)
    return folder


def _new(*arguments: str) -> Result:
    return CliRunner().invoke(new.command, arguments)


def _given(example: str) -> list[str]:
    config = stack_file.read(stack_file.example(example))
    answers = {**_ANSWERS, **_OTHER.get(example, {})}
    return [
        part
        for key in new.OWN
        if f"{PROJECT}:{key}" in config
        for part in ("--set", f"{key}={answers[key]}")
    ]


@pytest.mark.parametrize("example", stack_file.examples())
def test_of_each_example_a_stack_file_is_made_that_is_right(project: Path, example: str) -> None:
    done = _new("mine", "--from", example, *_given(example))
    assert done.exit_code == 0, done.exception
    before = stack_file.read(stack_file.example(example))
    after = stack_file.read(stack_file.path("mine"))
    assert parse(stack_file.texts(after))
    own = {key for key in after if before.get(key) != after[key]}
    assert own <= {f"{PROJECT}:{key}" for key in new.OWN}
    text = stack_file.path("mine").read_text()
    assert f"STACK={example}" not in text
    assert not any(mark in text for mark in ("example.com", "203.0.113.", "replace-me"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "which stack?"),
        (("a b",), "'a b' is no name of a stack"),
        (("mine",), "FROM=<one of azure-dev, azure-prod, local,"),
        (("mine", "--from", "aws"), "'aws' is no example"),
        (("mine", "--from", "local", "--set", "port"), "'port': a key and its value are KEY=VALUE"),
        (("mine", "--from", "local", "--set", "prot=1"), "did you mean port"),
        (("mine", "--from", "azure-dev"), 'SET="subscriptionId=… region=… allowedCidrs=…"'),
    ],
)
def test_what_is_wrong_writes_nothing(
    project: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = _new(*arguments)
    assert isinstance(done.exception, MistakeError)
    assert words in str(done.exception)
    assert not stack_file.path("mine").exists()


def test_another_key_comes_last_and_a_file_that_is_there_stays(project: Path) -> None:
    assert _new("mine", "--from", "local", "--set", "gcTtl=90d").exit_code == 0
    assert stack_file.path("mine").read_text().endswith("\n  trackstack:gcTtl: 90d\n")
    again = _new("mine", "--from", "local")
    assert "is there; edit it" in str(again.exception)
    assert "90d" in stack_file.path("mine").read_text()


def test_on_a_terminal_it_asks_until_the_answer_may_be(project: Path) -> None:
    said, answered = _on_a_terminal(
        "mine",
        "--from",
        "azure-dev",
        answers="mine\n5d7f8f6e-0000-4000-8000-000000000001\n\n0.0.0.0/33\n\n",
    )
    assert answered == 0, said
    assert "is no IPv4 network" in said
    assert "Traceback" not in said
    config = stack_file.read(stack_file.path("mine"))
    assert config["trackstack:region"] == "westeurope"
    assert config["trackstack:subscriptionId"].endswith("01")


def _on_a_terminal(*arguments: str, answers: str) -> tuple[str, int]:
    """What is said and the exit code of `make new`, whose questions a person answers."""
    ours, theirs = pty.openpty()
    said: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(ours, 4096):
                said.append(part)
        except OSError:
            """The terminal's other side is closed."""

    process = subprocess.Popen(
        [sys.executable, "-m", "infra.operations.stack.new", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(theirs)
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    os.write(ours, answers.encode())
    try:
        code = process.wait(30)
    finally:
        process.kill()
    reader.join(5)
    os.close(ours)
    return b"".join(said).decode(), code


def test_a_team_s_own_folder_has_its_stack_files(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = tmp_path / "team's stacks"
    monkeypatch.setenv(stack_file.TEAM_S, str(team))
    assert _new("mine", "--from", "local").exit_code == 0
    theirs = team / "Pulumi.mine.yaml"
    assert stack_file.path("mine").readlink() == theirs
    stack_file.path("mine").unlink()
    stack_file.require("mine")
    # As the engine writes its salt.
    with stack_file.path("mine").open("a") as file:
        file.write("encryptionsalt: v1:x\n")
    assert "encryptionsalt" in theirs.read_text()
    with pytest.raises(FileNotFoundError, match=r"there are: azure-dev, .*, mine, oci-dev"):
        stack_file.find("other")


def test_a_stack_file_in_two_places_or_none_is_told(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(stack_file.TEAM_S, str(tmp_path))
    text = "config: {trackstack:cloud: local}\n"
    (tmp_path / "Pulumi.local.yaml").write_text(text)
    stack_file.path("local").write_text(text)
    with pytest.raises(MistakeError, match="are both there"):
        stack_file.require("local")
    stack_file.path("local").unlink()
    stack_file.require("local")
    (tmp_path / "Pulumi.local.yaml").unlink()
    with pytest.raises(StackError, match="which is not there"):
        stack_file.find("local")
