"""Which keys open a stack's backups, and how its stack file comes by them."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.operations.recover.keys import asked, environment, of_caller, with_key
from infra.place import ROOT
from runtime import settings as runtime_settings
from runtime.backup.format.places import given_keys
from runtime.errors import UserError
from tests.infra.project import configure_local, make_project


def test_keys_are_the_caller_s_and_those_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKSTACK_BACKUP_KEY", "a" * 32)
    assert of_caller({}) == ("a" * 32,)
    own = {"backup_key": f"{'b' * 32} {'a' * 32}"}
    assert of_caller(own) == ("a" * 32, "b" * 32)
    given = runtime_settings.load(environment(of_caller(own)))
    assert given_keys(given) == ["a" * 32, "b" * 32]
    with pytest.raises(UserError, match="no key"):
        asked(UserError("no key"))


def test_a_stack_is_given_the_one_key_that_opens_the_backup_and_keeps_those_it_had() -> None:
    assert with_key("k", None, ()) == ["k"]
    assert with_key("k", "own", ("older",)) == ["k", "older"]
    # By its own, or by what its file has already, it opens it.
    assert with_key("own", "own", ("older",)) is None
    assert with_key("older", "own", ("older",)) is None


@pytest.mark.slow
def test_the_key_is_written_into_the_stack_file_as_a_secret_and_once(tmp_path: Path) -> None:
    engine = make_project(tmp_path, "one")
    configure_local(engine, tmp_path / "data")
    engine.run("config", "set", "--secret", "trackstack:earlierBackupKeys", "o" * 43)
    given = (
        "import sys; from infra.operations.recover import keys;"
        "from infra.operations.stack import Stack;"
        "print(keys.give(Stack('one'), sys.argv[1], {'backup_key': sys.argv[2]}))"
    )

    def give(key: str, known: str) -> bool:
        done = subprocess.run(
            [sys.executable, "-c", given, key, known],
            cwd=engine.project_dir,
            env={**engine.environment_of_commands(), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip() == "True"

    def held() -> str:
        return engine.run("config", "get", "trackstack:earlierBackupKeys").stdout.strip()

    own, new = "a" * 43, "k" * 43
    assert not give(own, f"{own} {'o' * 43}")
    assert held() == "o" * 43
    assert give(new, f"{own} {'o' * 43}")
    assert held() == f"{new} {'o' * 43}"
    # Killed before its server knew the key, it goes on.
    assert give(new, f"{own} {'o' * 43}")
    assert not give(new, f"{own} {held()}")
    assert held() == f"{new} {'o' * 43}"
    file = (engine.project_dir / "stacks" / "Pulumi.one.yaml").read_text()
    assert "secure:" in file
    assert new not in file
