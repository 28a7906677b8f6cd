import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from runtime.cli import COMMANDS, cli
from runtime.errors import for_user, of_artifact_store
from tests.warm import TRACKSTACK


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([TRACKSTACK, *arguments], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert "Example" in (command.help or "")


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        ("TrackingServer", "server"),
        ("GarbageCollection", "gc"),
        ("DatabaseUpgrade", "upgrade"),
        ("Report", "report"),
        ("Prune", "prune"),
    ],
)
def test_published_names_are_commands_and_stand_in_the_help(published: str, ours: str) -> None:
    context = click.Context(cli)
    assert cli.get_command(context, published) is cli.get_command(context, ours)
    shown = " ".join(cli.get_help(context).split())
    assert re.search(rf" {ours} [A-Z][^()]*\(also {published}\)", shown)


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from runtime.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('mlflow', 'pulumi', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert all(f"  {name}" in done.stdout for name in COMMANDS)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_artifact_store_that_cannot_be_used_is_one_line() -> None:
    from azure.core.exceptions import ClientAuthenticationError
    from boto3.exceptions import S3UploadFailedError
    from oci.exceptions import ServiceError

    none: dict[str, str] = {}
    denied = ServiceError(
        404, "BucketNotFound", none, "The bucket b does not exist", client_version=""
    )
    for error, said in (
        (S3UploadFailedError("Failed to upload x"), "Failed to upload x"),
        (ClientAuthenticationError("no token\nof any of these:\n..."), "no token; see its URI"),
        (denied, "The bucket b does not exist"),
    ):
        told = of_artifact_store(error)
        assert told
        assert said in str(told)
        assert "\n" not in str(told)
        assert str(for_user(error)) == str(told)
    assert of_artifact_store(ValueError("x")) is None
    with pytest.raises(ValueError, match="x"):
        for_user(ValueError("x"))


@pytest.mark.slow
def test_no_login_to_backups_is_no_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    done = _run("backup", "--to", "s3://backups/prod", "list")
    assert done.returncode == 75
    assert done.stderr.startswith("trackstack: the artifact store cannot be used: Unable to locate")
    assert done.stderr.count("\n") == 1


def test_a_user_s_mistake_is_one_line_and_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_PORT", "http")
    done = _run("doctor")
    assert done.returncode == 2
    assert done.stderr.startswith("trackstack: MLFLOW_PORT: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("docter", "No such command 'docter'. Did you mean 'doctor'?"),
        ("garbagecollection", "Did you mean 'GarbageCollection'?"),
        ("xyz", "No such command 'xyz'."),
    ],
)
def test_an_unknown_command_is_told_the_one_that_is_meant(given: str, said: str) -> None:
    done = _run(given)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(said)


def test_a_store_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/no/such.db"
    environment = {**os.environ, "MLFLOW_BACKEND_STORE_URI": uri}
    done = subprocess.run(
        [TRACKSTACK, "gc"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 75
    assert f"the backend store {uri} cannot be used: unable to open" in done.stderr


def test_names_of_commands_are_completed_without_an_import_of_any() -> None:
    """A Tab is quick, and works where the server's part is not installed."""
    code = (
        "import sys; from runtime.cli import main\n"
        "sys.argv, sys.modules['sqlalchemy'] = ['trackstack'], None\n"
        "main()"
    )
    shell = {
        "_TRACKSTACK_COMPLETE": "bash_complete",
        "COMP_WORDS": "trackstack ",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | shell, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert set(done.stdout.split()) == {f"plain,{name}" for name in COMMANDS}
