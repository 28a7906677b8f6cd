"""Containers are filled from another stack's encrypted backup, and know its key from then on."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from runtime.backup import make
from tests.infra.clouds.docker.stack import Stack, standing
from tests.infra.project import run_operation
from tests.runtime.filled import fill, settings_of

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

_KEY = "the-key-of-the-stack-that-was-lost-0001"


def test_containers_know_the_key_of_the_backup_that_filled_them(
    tmp_path: Path, is_real_docker: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = tmp_path / "b"
    given = {"backup_destination": str(backups), "backup_key": SecretStr(_KEY)}
    lost = settings_of(tmp_path / "data").model_copy(update={**given, "backup_encryption": True})
    fill(lost)
    of = make.back_up(lost, make.destination(lost, None))
    with standing(tmp_path, is_real=is_real_docker, is_up=False) as stack:
        stack.config["trackstack:backupEncryption"] = "true"
        stack.engine.run("config")
        stack.configure()
        unknown = run_operation(stack.engine, "recover", "--from", str(backups))
        assert unknown.returncode
        assert "it is encrypted with the key" in unknown.stderr

        monkeypatch.setenv("TRACKSTACK_BACKUP_KEY", _KEY)
        done = run_operation(stack.engine, "recover", "--from", str(backups))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "all rows and" in done.stdout
        written = _written(stack)
        assert "trackstack:restoreBackup" not in written
        assert "secure" in written["trackstack:earlierBackupKeys"]
        assert _KEY not in json.dumps(written)

        # Its server opens what was carried there without its new owner's key, and makes its own.
        monkeypatch.delenv("TRACKSTACK_BACKUP_KEY")
        again = run_operation(stack.engine, "backup")
        assert again.returncode == 0, again.stdout + again.stderr
        for name in (of.name, None):
            words = ["backup", "verify", *([name] if name else [])]
            verified = run_operation(stack.engine, "run", *words)
            assert verified.returncode == 0, verified.stdout + verified.stderr


def _written(stack: Stack) -> dict[str, Any]:
    """The stack file's keys, as they stand there."""
    file = stack.engine.project_dir / "stacks" / f"Pulumi.{stack.engine.stack}.yaml"
    return yaml.safe_load(file.read_text())["config"]
